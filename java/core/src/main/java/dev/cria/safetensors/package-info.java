/** Reading and writing safetensors files. */
package dev.cria.safetensors;
