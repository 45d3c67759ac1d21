package dev.cria;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** Gives each test the CPU and an open scope, and checks that the test leaves no native memory. */
@SuppressWarnings("exports") // JUnit sees the public methods even when no test of this package runs
public abstract class DeviceTest {
  protected static Device device;
  protected Scope scope;
  private long liveBefore;

  protected DeviceTest() {}

  @BeforeAll
  public static void openDevice() {
    device = Device.open("cpu");
  }

  @AfterAll
  public static void closeDevice() {
    device.close();
  }

  @BeforeEach
  public void openScope() {
    liveBefore = device.liveBytes();
    scope = Scope.open();
  }

  @AfterEach
  public void closeScope() {
    scope.close();
    assertThat(device.liveBytes()).as("live bytes after the test").isEqualTo(liveBefore);
  }

  /** Normal numbers, the same for the same seed. */
  protected static Tensor randn(long seed, long... shape) {
    Tensor tensor = Tensor.empty(device, DType.F32, shape);
    Random random = new Random(seed);
    float[] values = new float[Math.toIntExact(tensor.size())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    tensor.copyFrom(values);
    return tensor;
  }
}
