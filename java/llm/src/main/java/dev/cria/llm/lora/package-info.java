/** Low-rank adapters (LoRA): making, attaching, loading and saving them in the PEFT layout. */
package dev.cria.llm.lora;
