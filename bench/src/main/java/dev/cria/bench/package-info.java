/**
 * JMH benchmarks of every operation, on the shapes of OpenLLaMA-3B and through the public Java
 * interface.
 */
@org.jspecify.annotations.NullMarked
package dev.cria.bench;
