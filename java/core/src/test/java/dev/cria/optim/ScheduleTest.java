package dev.cria.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class ScheduleTest {
  @Test
  void warmUpRisesEvenlyToThePeak() {
    for (Schedule schedule :
        new Schedule[] {
          Schedule.constant(2f, 4), Schedule.linear(2f, 4, 0f), Schedule.cosine(2f, 4, 0f)
        }) {
      assertThat(schedule.at(0, 100)).isEqualTo(0.5f);
      assertThat(schedule.at(3, 100)).isEqualTo(2f);
      assertThat(schedule.at(4, 100)).isEqualTo(2f);
    }
  }

  @Test
  void curvesEndAtTheFloor() {
    assertThat(Schedule.constant(2f, 0).at(99, 100)).isEqualTo(2f);
    Schedule linear = Schedule.linear(2f, 0, 0.1f);
    assertThat(linear.at(50, 100)).isEqualTo(1.1f);
    assertThat(linear.at(100, 100)).isEqualTo(0.2f);
    assertThat(linear.at(1000, 100)).isEqualTo(0.2f);
    Schedule cosine = Schedule.cosine(2f, 0, 0f);
    assertThat(cosine.at(50, 100)).isCloseTo(1f, Offset.offset(1e-6f));
    // (1 + cos(pi/4)) / 2 = 0.8535534
    assertThat(cosine.at(25, 100)).isCloseTo(2 * 0.8535534f, Offset.offset(1e-6f));
    assertThat(cosine.at(100, 100)).isZero();
  }

  @Test
  void warmUpLongerThanTheRunIsHarmless() {
    assertThat(Schedule.cosine(1f, 10, 0f).at(4, 5)).isEqualTo(0.5f);
    assertThatThrownBy(() -> Schedule.linear(-1f, 0, 0f)).hasMessageContaining("peak -1.0");
  }
}
