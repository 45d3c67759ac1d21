package dev.cria;

import dev.cria.internal.Abi;
import dev.cria.internal.Devices;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Work of a GPU, recorded once and run again with one call: where launching an operation takes as
 * long as running it. Each run works on what the recorded tensors hold then. Close it before its
 * device and before the caches and tensors that it uses.
 */
public final class Graph implements AutoCloseable {
  private final Device device;
  private final MemorySegment queue;
  // What the recorded work made and freed again.
  private final List<MemorySegment> memory = new ArrayList<>();
  private MemorySegment handle = MemorySegment.NULL;
  private boolean closed;

  private Graph(Device device) {
    this.device = device;
    this.queue = device.queue();
  }

  /**
   * Records what {@code work} does on the device; nothing of it runs yet. It may make and free
   * tensors, but neither set them from the host nor read them. One thread of a device records at a
   * time.
   *
   * @return empty where the device does not record, or not this
   */
  public static Optional<Graph> record(Device device, Runnable work) {
    Graph graph = new Graph(device);
    try {
      graph.fill(work);
      return Optional.of(graph);
    } catch (NativeException e) {
      if (e.status() == Status.UNSUPPORTED) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private void fill(Runnable work) {
    Devices.graphBegin(queue);
    device.setRecording(new Device.Recording(Thread.currentThread(), memory));
    boolean done = false;
    try {
      work.run();
      done = true;
    } finally {
      device.setRecording(null);
      MemorySegment out = Abi.scratch();
      try {
        Devices.graphEnd(queue, out);
        handle = out.get(ValueLayout.ADDRESS, 0);
      } finally {
        if (!done || handle.equals(MemorySegment.NULL)) {
          close();
        }
      }
    }
  }

  /** Whether this thread may run it: the one that recorded it. */
  public boolean isOfThisThread() {
    return queue.equals(device.queue());
  }

  /** Runs the recorded work, in order with the other work of this thread. */
  public void run() {
    if (closed) {
      throw new CriaException("graph: already closed");
    }
    Devices.graphLaunch(device.queue(), handle);
  }

  /** Waits for the work and frees the graph with the memory of its own; idempotent. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      try {
        Devices.graphFree(handle);
      } finally {
        memory.forEach(device::free);
      }
    }
  }
}
