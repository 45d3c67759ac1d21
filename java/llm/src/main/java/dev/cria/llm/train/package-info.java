/** Training: objectives, the trainer, its settings, reports and checkpoints. */
package dev.cria.llm.train;
