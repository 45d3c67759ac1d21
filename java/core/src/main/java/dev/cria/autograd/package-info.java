/** Recording of operations and their gradients. */
package dev.cria.autograd;
