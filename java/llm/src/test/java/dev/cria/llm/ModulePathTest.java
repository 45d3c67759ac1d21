package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;

import com.hubspot.jinjava.Jinjava;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The module path holds everything that the libraries behind dev.cria.llm need at run time. */
class ModulePathTest {
  @Test
  void jinjavaRendersInsideANamedModule() {
    assertThat(ModulePathTest.class.getModule().getName()).isEqualTo("dev.cria.llm");
    String text =
        new Jinjava()
            .render(
                "{% for m in messages %}{{ m }};{% endfor %}",
                Map.of("messages", new String[] {"a", "b"}));
    assertThat(text).isEqualTo("a;b;");
  }
}
