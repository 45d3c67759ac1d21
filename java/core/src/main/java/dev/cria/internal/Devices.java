package dev.cria.internal;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** Devices, their memory and their queues. Arguments as in cria.h; a failing call throws. */
public final class Devices {
  private static final MethodHandle DEVICE_CLOSE = Abi.link("cria_device_close", "p");
  private static final MethodHandle DEVICE_NAME = Abi.link("cria_device_name", "p", 'p');
  private static final MethodHandle DEVICE_ISA = Abi.link("cria_device_isa", "p", 'p');
  private static final MethodHandle DEVICE_THREADS = Abi.link("cria_device_threads", "p", 'i');
  private static final MethodHandle DEVICE_MEMORY = Abi.link("cria_device_memory", "pppp");
  private static final MethodHandle DEVICE_RESET_PEAK = Abi.link("cria_device_reset_peak", "p");
  private static final MethodHandle DEVICE_SET_LIMIT = Abi.link("cria_device_set_limit", "pl");
  private static final MethodHandle DEVICE_OPEN = Abi.link("cria_device_open", "pip");
  private static final MethodHandle ALLOC = Abi.link("cria_alloc", "plp");
  private static final MethodHandle FREE = Abi.link("cria_free", "pp");
  private static final MethodHandle QUEUE_CREATE = Abi.link("cria_queue_create", "pp");
  private static final MethodHandle QUEUE_DESTROY = Abi.link("cria_queue_destroy", "p");
  private static final MethodHandle QUEUE_SYNCHRONIZE = Abi.link("cria_queue_synchronize", "p");
  private static final MethodHandle UPLOAD = Abi.link("cria_upload", "plpp");
  private static final MethodHandle DOWNLOAD = Abi.link("cria_download", "plpp");
  private static final MethodHandle COPY = Abi.link("cria_copy", "plpp");
  private static final MethodHandle GRAPH_BEGIN = Abi.link("cria_graph_begin", "p");
  private static final MethodHandle GRAPH_END = Abi.link("cria_graph_end", "pp");
  private static final MethodHandle GRAPH_LAUNCH = Abi.link("cria_graph_launch", "pp");
  private static final MethodHandle GRAPH_FREE = Abi.link("cria_graph_free", "p");

  private Devices() {}

  public static void deviceClose(MemorySegment device) {
    try {
      Abi.check((int) DEVICE_CLOSE.invokeExact(device));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static MemorySegment deviceName(MemorySegment device) {
    try {
      return (MemorySegment) DEVICE_NAME.invokeExact(device);
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static MemorySegment deviceIsa(MemorySegment device) {
    try {
      return (MemorySegment) DEVICE_ISA.invokeExact(device);
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static int deviceThreads(MemorySegment device) {
    try {
      return (int) DEVICE_THREADS.invokeExact(device);
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void deviceMemory(
      MemorySegment device, MemorySegment live, MemorySegment peak, MemorySegment scratch) {
    try {
      Abi.check((int) DEVICE_MEMORY.invokeExact(device, live, peak, scratch));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void deviceResetPeak(MemorySegment device) {
    try {
      Abi.check((int) DEVICE_RESET_PEAK.invokeExact(device));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void deviceSetLimit(MemorySegment device, long limit) {
    try {
      Abi.check((int) DEVICE_SET_LIMIT.invokeExact(device, limit));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void deviceOpen(MemorySegment name, int threads, MemorySegment device) {
    try {
      Abi.check((int) DEVICE_OPEN.invokeExact(name, threads, device));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void alloc(MemorySegment device, long bytes, MemorySegment address) {
    try {
      Abi.check((int) ALLOC.invokeExact(device, bytes, address));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void free(MemorySegment device, MemorySegment address) {
    try {
      Abi.check((int) FREE.invokeExact(device, address));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void queueCreate(MemorySegment device, MemorySegment queue) {
    try {
      Abi.check((int) QUEUE_CREATE.invokeExact(device, queue));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void queueDestroy(MemorySegment queue) {
    try {
      Abi.check((int) QUEUE_DESTROY.invokeExact(queue));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void queueSynchronize(MemorySegment queue) {
    try {
      Abi.check((int) QUEUE_SYNCHRONIZE.invokeExact(queue));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void upload(
      MemorySegment queue, long bytes, MemorySegment host, MemorySegment device) {
    try {
      Abi.check((int) UPLOAD.invokeExact(queue, bytes, host, device));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void download(
      MemorySegment queue, long bytes, MemorySegment device, MemorySegment host) {
    try {
      Abi.check((int) DOWNLOAD.invokeExact(queue, bytes, device, host));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void copy(MemorySegment queue, long bytes, MemorySegment from, MemorySegment to) {
    try {
      Abi.check((int) COPY.invokeExact(queue, bytes, from, to));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void graphBegin(MemorySegment queue) {
    try {
      Abi.check((int) GRAPH_BEGIN.invokeExact(queue));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void graphEnd(MemorySegment queue, MemorySegment graph) {
    try {
      Abi.check((int) GRAPH_END.invokeExact(queue, graph));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void graphLaunch(MemorySegment queue, MemorySegment graph) {
    try {
      Abi.check((int) GRAPH_LAUNCH.invokeExact(queue, graph));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }

  public static void graphFree(MemorySegment graph) {
    try {
      Abi.check((int) GRAPH_FREE.invokeExact(graph));
    } catch (Throwable e) {
      throw Abi.failure(e);
    }
  }
}
