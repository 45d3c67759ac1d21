package dev.cria.safetensors;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Writes a safetensors file: first all tensors are declared, then their bytes arrive in any order,
 * in pieces if need be. The file appears under its name, complete and on disk, at {@link #commit};
 * closing without it leaves nothing behind.
 */
public final class SafetensorsWriter implements AutoCloseable {
  /** The data start at a multiple of this, so that mapped tensors are aligned for vector loads. */
  private static final int ALIGNMENT = 64;

  private static final int LENGTH_BYTES = 8;
  private static final int CHUNK_BYTES = 1 << 20;
  private static final JsonFactory JSON = JsonFactory.builder().build();

  private final Path path;
  private final Path aside;
  private final Map<String, Slot> slots = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private long dataBytes;
  private long dataStart;
  private @Nullable FileChannel channel;
  private boolean committed;

  /** A declared tensor and how much of it has been written. */
  private static final class Slot {
    final SafetensorsFile.Entry entry;
    long written;

    Slot(SafetensorsFile.Entry entry) {
      this.entry = entry;
    }
  }

  private SafetensorsWriter(Path path) {
    this.path = path;
    Path name = path.getFileName();
    this.aside = path.resolveSibling((name == null ? "" : name) + ".part");
  }

  /** Prepares a file; nothing is written before the first bytes. */
  public static SafetensorsWriter create(Path path) {
    return new SafetensorsWriter(path);
  }

  /** Adds a free text to the header. */
  public SafetensorsWriter metadata(String key, String value) {
    checkDeclaring();
    metadata.put(key, value);
    return this;
  }

  /** Declares a tensor of a type of the format, e.g. "BF16". */
  public SafetensorsWriter declare(String name, String dtype, long... shape) {
    checkDeclaring();
    if (name.equals(Header.METADATA)) {
      throw failure(name + " is a reserved name");
    }
    long bytes = TensorType.bytes("safetensors: " + path + ": " + name + ": ", dtype, shape);
    Slot slot =
        new Slot(new SafetensorsFile.Entry(dtype, shape.clone(), dataBytes, dataBytes + bytes));
    if (slots.put(name, slot) != null) {
      throw failure(name + " is declared twice");
    }
    dataBytes += bytes;
    return this;
  }

  /** Declares a tensor. */
  public SafetensorsWriter declare(String name, DType dtype, long... shape) {
    return declare(name, TensorType.name(dtype), shape);
  }

  /** Writes the next bytes of a tensor; pieces of one tensor arrive in order. */
  public void write(String name, MemorySegment bytes) {
    Slot slot = slots.get(name);
    if (slot == null) {
      throw failure(name + " was not declared");
    }
    if (bytes.byteSize() > slot.entry.byteSize() - slot.written) {
      throw failure(name + " has " + slot.entry.byteSize() + " bytes, more were written than that");
    }
    try {
      FileChannel file = begin();
      put(file, dataStart + slot.entry.start() + slot.written, bytes);
      slot.written += bytes.byteSize();
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /** Writes a whole tensor. */
  public void write(String name, Tensor tensor) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment host = arena.allocate(tensor.byteSize(), ALIGNMENT);
      tensor.copyTo(host);
      write(name, host);
    }
  }

  /** Checks that everything is there, forces it to disk and gives the file its name. */
  public void commit() {
    for (Map.Entry<String, Slot> slot : slots.entrySet()) {
      if (slot.getValue().written != slot.getValue().entry.byteSize()) {
        throw failure(
            slot.getKey()
                + " has "
                + slot.getValue().entry.byteSize()
                + " bytes, only "
                + slot.getValue().written
                + " were written");
      }
    }
    try {
      FileChannel file = begin();
      file.force(true);
      file.close();
      Files.move(aside, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      committed = true;
      forceFolder();
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /** Without a commit, removes what was written; idempotent. */
  @Override
  public void close() {
    FileChannel file = channel;
    if (file == null || committed) {
      return;
    }
    try {
      file.close();
      Files.deleteIfExists(aside);
    } catch (IOException e) {
      throw failure(e);
    }
  }

  /** Creates the file with its header, once. */
  private FileChannel begin() throws IOException {
    FileChannel file = channel;
    if (file == null) {
      byte[] json = header();
      file =
          FileChannel.open(
              aside,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE);
      channel = file;
      ByteBuffer start =
          ByteBuffer.allocate(LENGTH_BYTES + json.length).order(ByteOrder.LITTLE_ENDIAN);
      start.putLong(json.length).put(json).flip();
      dataStart = start.remaining();
      put(file, 0, MemorySegment.ofBuffer(start));
    }
    return file;
  }

  /** The JSON text, padded with spaces so that the data are aligned. */
  private byte[] header() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(ObjectWriteContext.empty(), out)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeName(Header.METADATA);
        json.writeStartObject();
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          json.writeStringProperty(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
      }
      for (Map.Entry<String, Slot> slot : slots.entrySet()) {
        SafetensorsFile.Entry entry = slot.getValue().entry;
        json.writeName(slot.getKey());
        json.writeStartObject();
        json.writeStringProperty("dtype", entry.dtype());
        json.writeName("shape");
        json.writeArray(entry.shape(), 0, entry.shape().length);
        json.writeName("data_offsets");
        json.writeArray(new long[] {entry.start(), entry.end()}, 0, 2);
        json.writeEndObject();
      }
      json.writeEndObject();
    }
    while ((LENGTH_BYTES + out.size()) % ALIGNMENT != 0) {
      out.write(' ');
    }
    return out.toByteArray();
  }

  private static void put(FileChannel file, long place, MemorySegment bytes) throws IOException {
    ByteBuffer chunk = ByteBuffer.allocateDirect((int) Math.min(CHUNK_BYTES, bytes.byteSize()));
    for (long done = 0; done < bytes.byteSize(); ) {
      int length = (int) Math.min(chunk.capacity(), bytes.byteSize() - done);
      chunk.clear().limit(length);
      MemorySegment.ofBuffer(chunk).copyFrom(bytes.asSlice(done, length));
      long at = place + done;
      while (chunk.hasRemaining()) {
        at += file.write(chunk, at);
      }
      done += length;
    }
  }

  /** Makes the new name itself durable, where folders can be forced. */
  private void forceFolder() throws IOException {
    Path folder = path.toAbsolutePath().getParent();
    if (folder != null && !System.getProperty("os.name", "").startsWith("Windows")) {
      try (FileChannel file = FileChannel.open(folder, StandardOpenOption.READ)) {
        file.force(true);
      }
    }
  }

  private void checkDeclaring() {
    if (channel != null) {
      throw failure("tensors are declared before the first bytes are written");
    }
  }

  private CriaException failure(String problem) {
    return new CriaException("safetensors: " + path + ": " + problem);
  }

  private CriaException failure(IOException e) {
    return new CriaException("safetensors: " + path + ": cannot be written: " + e, e);
  }
}
