/** Parameters, weight matrices, caches and sampling. */
package dev.cria.nn;
