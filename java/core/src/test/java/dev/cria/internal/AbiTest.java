package dev.cria.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The handles in Java agree with the prototypes that the C compiler saw. */
class AbiTest {
  private static final Class<?>[] BINDINGS = {
    Attention.class,
    Devices.class,
    Elementary.class,
    Indexing.class,
    Linear.class,
    Losses.class,
    Nf4.class,
    Optimizers.class,
    Random.class,
    SelfCheck.class,
    Transformer.class
  };

  @Test
  void everyEntryPointIsBoundWithItsSignature() throws ClassNotFoundException {
    for (Class<?> binding : BINDINGS) {
      Class.forName(binding.getName(), true, binding.getClassLoader());
    }
    Map<String, String> declared = new TreeMap<>(Abi.linked());
    // Called by the loader before the other handles may be linked.
    declared.put("cria_abi_version", "()i");
    declared.put("cria_version", "()p");
    declared.put("cria_last_error", "()p");
    declared.put("cria_entry_points", "()p");

    Map<String, String> exported = new TreeMap<>();
    for (String line : NativeLibrary.entryPoints().split("\n")) {
      int signature = line.indexOf('(');
      exported.put(line.substring(0, signature), line.substring(signature));
    }
    assertThat(declared.keySet()).isEqualTo(exported.keySet()).hasSizeGreaterThan(60);
    declared.forEach(
        (name, signature) -> assertThat(name + signature).isEqualTo(name + exported.get(name)));
  }

  @Test
  void versionIsARelease() {
    assertThat(NativeLibrary.version()).matches("\\d+\\.\\d+\\.\\d+.*");
  }
}
