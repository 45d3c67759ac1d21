/**
 * Entry types of Cria: devices, tensors and the scopes that own their memory.
 *
 * <pre>{@code
 * try (Device device = Device.open("cpu");
 *     Scope scope = Scope.open()) {
 *   Tensor x = Tensor.of(device, new float[] {1, 2, 3, 4}, 2, 2);
 *   System.out.println(Arrays.toString(Ops.matmul(x, x).toFloats()));
 * }
 * }</pre>
 *
 * <p>All native memory has an owner: a {@link dev.cria.Scope} owns tensors; the few other native
 * objects (matrices in 4 bits, key/value caches, optimisers) are closed by whoever made them.
 * Nothing waits for the garbage collector. {@link dev.cria.Device#liveBytes} counts what is held.
 *
 * <p>Failures are {@link dev.cria.CriaException}s whose message names the operation, what was wrong
 * and the values. Shapes are checked before native code runs.
 *
 * <p>The native library is found where {@code -Dcria.library.path} says, or without it in {@code
 * java.library.path} or in the jar. Programs run with {@code --enable-native-access=dev.cria} (on
 * the class path {@code ALL-UNNAMED}).
 */
package dev.cria;
