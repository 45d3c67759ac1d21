package dev.cria.autograd;

/** Preference losses, in the order of {@code cria_pair_loss}; D = beta (r_chosen - r_rejected). */
public enum DpoKind {
  /** -(1-e) log s(D) - e log s(-D) with label smoothing e (Rafailov et al. 2023). */
  SIGMOID,
  /** (r_chosen / n_chosen - r_rejected / n_rejected - 1 / (2 beta))^2 (Azar et al. 2023). */
  IPO,
  /** (r_chosen - r_rejected - 1 / (2 beta))^2. */
  IPO_SUM,
  /** max(0, 1 - D) (Zhao et al. 2023). */
  HINGE
}
