/** Hugging Face folders: reading dense and NF4 weights, writing and merging models. */
package dev.cria.llm.checkpoint;
