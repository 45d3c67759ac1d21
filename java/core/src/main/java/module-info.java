/** Tensors, autograd, layers and optimisers of Cria, over the native library libcria. */
@org.jspecify.annotations.NullMarked
module dev.cria {
  requires static org.jspecify;
  requires tools.jackson.core;
}
