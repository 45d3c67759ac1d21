/** Gradient buffers, AdamW and learning-rate schedules. */
package dev.cria.optim;
