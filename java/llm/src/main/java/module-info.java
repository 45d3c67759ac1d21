/** LLaMA models of Cria: loading, tokenizing, training, aligning, evaluating and exporting them. */
@org.jspecify.annotations.NullMarked
module dev.cria.llm {
  requires static org.jspecify;
  requires transitive dev.cria;
  requires transitive tools.jackson.databind;
  requires jinjava;
  // Used by jinjava, which is an automatic module and cannot ask for them itself.
  requires com.fasterxml.jackson.databind;
  requires com.fasterxml.jackson.dataformat.yaml;
  requires com.fasterxml.jackson.datatype.jdk8;
  requires org.apache.commons.lang3;
  requires org.slf4j;

  exports dev.cria.llm;
  exports dev.cria.llm.chat;
  exports dev.cria.llm.checkpoint;
  exports dev.cria.llm.data;
  exports dev.cria.llm.eval;
  exports dev.cria.llm.generate;
  exports dev.cria.llm.gguf;
  exports dev.cria.llm.llama2c;
  exports dev.cria.llm.lora;
  exports dev.cria.llm.tokenizer;
  exports dev.cria.llm.train;
}
