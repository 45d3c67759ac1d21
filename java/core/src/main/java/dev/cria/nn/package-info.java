/**
 * Parameters, weight matrices (f32, bf16 or 4 bits), adapters, the key/value cache and sampling:
 * what a model is made of, without its gradients.
 */
package dev.cria.nn;
