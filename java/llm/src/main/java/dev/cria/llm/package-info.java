/** LLaMA-family language models: load, train, align, evaluate and export. */
package dev.cria.llm;
