/** Reading of GGUF files, versions 1 to 3. */
@NullMarked
package dev.cria.llm.gguf;

import org.jspecify.annotations.NullMarked;
