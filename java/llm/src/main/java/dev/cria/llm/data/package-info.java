/** Data sets: recognising, encoding and packing records. */
@NullMarked
package dev.cria.llm.data;

import org.jspecify.annotations.NullMarked;
