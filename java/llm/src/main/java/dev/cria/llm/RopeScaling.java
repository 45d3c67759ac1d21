package dev.cria.llm;

/** How rotary frequencies are stretched for contexts longer than the one first trained on. */
public sealed interface RopeScaling {
  /**
   * Frequency of one pair after scaling, from its unscaled {@code frequency} (radians per
   * position).
   */
  double scale(double frequency);

  /** Every frequency divided by {@code factor}: positions are squeezed into the old range. */
  record Linear(double factor) implements RopeScaling {
    /** Checks that the factor is at least 1. */
    public Linear {
      check("factor", factor, 1);
    }

    @Override
    public double scale(double frequency) {
      return frequency / factor;
    }
  }

  /**
   * The LLaMA 3.1 rule: wavelengths longer than {@code originalContext / lowFrequencyFactor} are
   * divided by {@code factor}, those shorter than {@code originalContext / highFrequencyFactor} are
   * kept, those between are blended linearly.
   */
  record Llama3(
      double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalContext)
      implements RopeScaling {
    /** Checks that factors are usable and in order. */
    public Llama3 {
      check("factor", factor, 1);
      check("original_max_position_embeddings", originalContext, 1);
      if (!(lowFrequencyFactor > 0 && highFrequencyFactor > lowFrequencyFactor)) {
        throw new InvalidInputException(
            "rope scaling",
            "low_freq_factor "
                + lowFrequencyFactor
                + " must be positive and below high_freq_factor "
                + highFrequencyFactor);
      }
    }

    @Override
    public double scale(double frequency) {
      double wavelength = 2 * Math.PI / frequency;
      if (wavelength > originalContext / lowFrequencyFactor) {
        return frequency / factor;
      }
      if (wavelength < originalContext / highFrequencyFactor) {
        return frequency;
      }
      double smooth =
          (originalContext / wavelength - lowFrequencyFactor)
              / (highFrequencyFactor - lowFrequencyFactor);
      return (1 - smooth) * frequency / factor + smooth * frequency;
    }
  }

  private static void check(String name, double value, double least) {
    if (!(value >= least) || Double.isInfinite(value)) {
      throw new InvalidInputException(
          "rope scaling", name + " is " + value + ", at least " + least + " expected");
    }
  }
}
