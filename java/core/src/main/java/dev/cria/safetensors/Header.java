package dev.cria.safetensors;

import dev.cria.CriaException;
import dev.cria.safetensors.SafetensorsFile.Entry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * The checked header of a file.
 *
 * @param entries tensors by name, in the order of their data
 * @param metadata free texts
 */
record Header(Map<String, Entry> entries, Map<String, String> metadata) {
  static final String METADATA = "__metadata__";

  private static final int MAX_RANK = 64;
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  /** Reads the JSON text of a header whose file has this many bytes of data. */
  static Header parse(Path path, byte[] json, long dataBytes) {
    String file = "safetensors: " + path + ": ";
    Map<String, Entry> entries = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), json)) {
      expect(file, parser, parser.nextToken(), JsonToken.START_OBJECT);
      while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
        String name = parser.currentName();
        expect(file + name + ": ", parser, parser.nextToken(), JsonToken.START_OBJECT);
        if (name.equals(METADATA)) {
          readMetadata(file, parser, metadata);
        } else {
          entries.put(name, readEntry(file + name + ": ", parser));
        }
      }
      expect(file, parser, parser.currentToken(), JsonToken.END_OBJECT);
      if (parser.nextToken() != null) {
        throw new CriaException(file + "text after the header's JSON object");
      }
    } catch (JacksonException e) {
      throw new CriaException(file + "the header is not valid JSON: " + e.getOriginalMessage(), e);
    }
    return new Header(inOrder(file, entries, dataBytes), Collections.unmodifiableMap(metadata));
  }

  private static void readMetadata(String file, JsonParser parser, Map<String, String> metadata) {
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String key = parser.currentName();
      expect(file + METADATA + ": ", parser, parser.nextToken(), JsonToken.VALUE_STRING);
      metadata.put(key, parser.getString());
    }
  }

  private static Entry readEntry(String context, JsonParser parser) {
    String dtype = null;
    long[] shape = null;
    long[] offsets = null;
    while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
      String field = parser.currentName();
      JsonToken token = parser.nextToken();
      switch (field) {
        case "dtype" -> {
          expect(context + "dtype: ", parser, token, JsonToken.VALUE_STRING);
          dtype = parser.getString();
        }
        case "shape" -> shape = longs(context + "shape: ", parser);
        case "data_offsets" -> offsets = longs(context + "data_offsets: ", parser);
        default -> parser.skipChildren();
      }
    }
    if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
      throw new CriaException(context + "dtype, shape and two data_offsets expected");
    }
    long bytes = TensorType.bytes(context, dtype, shape);
    if (offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes) {
      throw new CriaException(
          context
              + dtype
              + Arrays.toString(shape)
              + " takes "
              + bytes
              + " bytes, but its data_offsets are "
              + Arrays.toString(offsets));
    }
    return new Entry(dtype, shape, offsets[0], offsets[1]);
  }

  private static long[] longs(String context, JsonParser parser) {
    expect(context, parser, parser.currentToken(), JsonToken.START_ARRAY);
    List<Long> values = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      expect(context, parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT);
      values.add(parser.getLongValue());
      if (values.size() > MAX_RANK) {
        throw new CriaException(context + "more than " + MAX_RANK + " numbers");
      }
    }
    return values.stream().mapToLong(Long::longValue).toArray();
  }

  /** The data must be covered exactly: no gap, no overlap, nothing beyond the end. */
  private static Map<String, Entry> inOrder(
      String file, Map<String, Entry> entries, long dataBytes) {
    List<Map.Entry<String, Entry>> sorted = new ArrayList<>(entries.entrySet());
    sorted.sort(
        Comparator.comparingLong((Map.Entry<String, Entry> e) -> e.getValue().start())
            .thenComparingLong(e -> e.getValue().end()));
    Map<String, Entry> result = new LinkedHashMap<>();
    long place = 0;
    for (Map.Entry<String, Entry> next : sorted) {
      Entry entry = next.getValue();
      if (entry.start() != place) {
        throw new CriaException(
            file
                + next.getKey()
                + ": starts at byte "
                + entry.start()
                + (entry.start() < place ? ", inside the tensor before it" : ", after a gap")
                + " (expected "
                + place
                + ")");
      }
      if (entry.end() > dataBytes) {
        throw new CriaException(
            file
                + next.getKey()
                + ": ends at byte "
                + entry.end()
                + " of "
                + dataBytes
                + "; the file is truncated");
      }
      place = entry.end();
      result.put(next.getKey(), entry);
    }
    if (place != dataBytes) {
      throw new CriaException(
          file + "has " + (dataBytes - place) + " bytes of data that belong to no tensor");
    }
    return result;
  }

  private static void expect(
      String context, JsonParser parser, JsonToken actual, JsonToken expected) {
    if (actual != expected) {
      throw new CriaException(
          context
              + expected
              + " expected, got "
              + actual
              + " at byte "
              + parser.currentTokenLocation().getByteOffset()
              + " of the header");
    }
  }
}
