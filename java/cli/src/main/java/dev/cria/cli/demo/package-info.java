/** The world of the demo: texts whose truth is known, and the exam that measures it. */
@org.jspecify.annotations.NullMarked
package dev.cria.cli.demo;
