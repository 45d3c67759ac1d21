package dev.cria.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
  private static final String NAME = System.mapLibraryName("cria");
  @TempDir Path folder;

  @Test
  void allTriedPlacesAreNamed() {
    assertThatThrownBy(
            () -> NativeLibrary.find("", folder + File.pathSeparator + "/opt/y", "no/such"))
        .isInstanceOf(CriaException.class)
        .hasMessage(
            "native library: not found; tried: "
                + folder.resolve(NAME)
                + ", /opt/y/"
                + NAME
                + ", jar:no/such; name its folder with -Dcria.library.path");
  }

  @Test
  void anotherPlaceDoesNotReplaceTheNamedOne() throws IOException {
    Files.copy(NativeLibrary.load().file(), folder.resolve(NAME));
    assertThatThrownBy(() -> NativeLibrary.find("/opt/x", folder.toString(), "no/such"))
        .isInstanceOf(CriaException.class)
        .hasMessage(
            "native library: there is no /opt/x, which -Dcria.library.path names; name the folder of "
                + NAME
                + " or leave it out");
  }

  @Test
  void firstPlaceWins() throws IOException {
    Path good = NativeLibrary.load().file();
    Path copy = Files.copy(good, folder.resolve(NAME));
    assertThat(NativeLibrary.find("", folder.toString(), "no/such").file()).isEqualTo(copy);
    assertThat(NativeLibrary.find(good.toString(), folder.toString(), "no/such").file())
        .isEqualTo(good);
    Path parent = good.getParent();
    assertThat(parent).isNotNull();
    assertThat(NativeLibrary.find(parent + "", "", "no/such").file()).hasFileName(NAME);
  }

  @Test
  void damagedLibraryIsNamed() throws IOException {
    Path bad = Files.writeString(folder.resolve(NAME), "not a library");
    assertThatThrownBy(() -> NativeLibrary.find(bad.toString(), "", "no/such"))
        .isInstanceOf(CriaException.class)
        .hasMessageContaining(bad + " cannot be opened");
  }

  @Test
  void platformIsAFolderOfTheJar() {
    assertThat(NativeLibrary.platform()).matches("(linux|darwin|windows)-(x86_64|aarch64)");
  }
}
