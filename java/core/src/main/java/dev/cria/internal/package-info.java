/** Bindings of libcria; not exported. */
package dev.cria.internal;
