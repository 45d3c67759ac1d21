/** Generation of text, token by token. */
package dev.cria.llm.generate;
