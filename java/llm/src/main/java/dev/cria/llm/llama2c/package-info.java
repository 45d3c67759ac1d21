/** Reading of llama2.c checkpoints. */
@NullMarked
package dev.cria.llm.llama2c;

import org.jspecify.annotations.NullMarked;
