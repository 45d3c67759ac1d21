/** Entry types of Cria: devices, tensors and the scopes that own their memory. */
package dev.cria;
