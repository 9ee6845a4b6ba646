// The configuration of the autoscaler, by kube-controller-manager's flags.

export interface AutoscalerConfig {
  /** --horizontal-pod-autoscaler-sync-period. Default 15 s. */
  readonly syncPeriodMs?: number;
  /** --horizontal-pod-autoscaler-downscale-stabilization. Default 5 min. */
  readonly downscaleStabilizationMs?: number;
  /** --horizontal-pod-autoscaler-tolerance, for both directions. Default 0.1. */
  readonly tolerance?: number;
  /**
   * --horizontal-pod-autoscaler-cpu-initialization-period: time after the start of a pod in which its CPU usage may be
   * that of its initialization. Default 5 min.
   */
  readonly cpuInitializationMs?: number;
  /**
   * --horizontal-pod-autoscaler-initial-readiness-delay: a pod that became unready within this time after its start has
   * never been ready. Default 30 s.
   */
  readonly initialReadinessMs?: number;
  /** --concurrent-horizontal-pod-autoscaler-syncs. Default 5. */
  readonly workers?: number;
}

export const autoscalerDefaults: Required<AutoscalerConfig> = {
  syncPeriodMs: 15_000,
  downscaleStabilizationMs: 300_000,
  tolerance: 0.1,
  cpuInitializationMs: 300_000,
  initialReadinessMs: 30_000,
  workers: 5,
};
