package dev.cria.cli;

import dev.cria.Device;
import java.util.LinkedHashMap;
import java.util.Map;

/** Versions of what took part in a run, for {@code run.json}. */
final class Versions {
  private Versions() {}

  static String cria() {
    String version = Versions.class.getPackage().getImplementationVersion();
    return version == null ? "0.1.0-SNAPSHOT" : version;
  }

  static Map<String, Object> of(Device device) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("cria", cria());
    map.put("java", System.getProperty("java.version"));
    map.put("os", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
    map.put("device", device.name());
    map.put("isa", device.isa());
    map.put("threads", device.threads());
    return map;
  }
}
