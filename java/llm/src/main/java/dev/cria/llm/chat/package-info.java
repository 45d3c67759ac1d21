/** Chat templates: the model's own and named ones. */
@NullMarked
package dev.cria.llm.chat;

import org.jspecify.annotations.NullMarked;
