package dev.cria;

import dev.cria.internal.Devices;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Copies between tensors and host memory, arrays of the Java heap included. */
final class HostCopy {
  private HostCopy() {}

  /** Sizes must agree. */
  static void upload(Tensor tensor, MemorySegment host) {
    MemorySegment address = tensor.address();
    long bytes = host.byteSize();
    if (host.isNative()) {
      Devices.upload(tensor.device().queue(), bytes, host, address);
    } else if (tensor.device().isHostMemory()) {
      tensor.device().synchronize();
      address.reinterpret(bytes).copyFrom(host);
    } else {
      try (Arena arena = Arena.ofConfined()) {
        Devices.upload(
            tensor.device().queue(), bytes, arena.allocate(bytes, 8).copyFrom(host), address);
      }
    }
  }

  /** Sizes must agree. */
  static void download(Tensor tensor, MemorySegment host) {
    MemorySegment address = tensor.address();
    long bytes = host.byteSize();
    if (host.isNative()) {
      Devices.download(tensor.device().queue(), bytes, address, host);
    } else if (tensor.device().isHostMemory()) {
      tensor.device().synchronize();
      host.copyFrom(address.reinterpret(bytes));
    } else {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment buffer = arena.allocate(bytes, 8);
        Devices.download(tensor.device().queue(), bytes, address, buffer);
        host.copyFrom(buffer);
      }
    }
  }
}
