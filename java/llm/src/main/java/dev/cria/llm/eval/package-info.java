/** Evaluation: log-probabilities, perplexity and multiple choice. */
package dev.cria.llm.eval;
