/** Tensors, autograd, layers and optimisers of Cria, over the native library libcria. */
@org.jspecify.annotations.NullMarked
module dev.cria {
  requires static transitive org.jspecify;
  requires tools.jackson.core;

  exports dev.cria;
  exports dev.cria.autograd;
  exports dev.cria.nn;
  exports dev.cria.optim;
  exports dev.cria.safetensors;
}
