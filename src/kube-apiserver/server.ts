// The server as stages and registry see it: one value, made in kube-apiserver.ts and handed to every request.

import type { HealthChecks } from '../machinery/health-checks.ts';
import type { Authenticator } from './access/authentication.ts';
import type { AdmissionPlugin } from './admission.ts';
import type { Aggregation } from './aggregation/aggregation.ts';
import type { Allocators } from './allocation/allocators.ts';
import type { Auditor } from './audit/auditor.ts';
import type { ComputedResources } from './computed/computed-resources.ts';
import type { Deletion } from './deletions.ts';
import type { Environment } from './environment.ts';
import type { Fairness } from './fairness/fairness.ts';
import type { KeptWrites } from './kept-writes.ts';
import type { Refusal } from './refusals.ts';
import type { SiteSlot } from './site.ts';

export interface Server extends Environment {
  /** Tried in this order. */
  readonly authenticators: readonly Authenticator[];
  /** In order of calls. */
  readonly admission: readonly AdmissionPlugin[];
  readonly allocators: Allocators;
  readonly fairness: Fairness;
  readonly health: HealthChecks;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly aggregation: Aggregation;
  readonly computed: ComputedResources;
  /** Undefined: no auditing. */
  readonly auditor?: Auditor;
  /** The last writes that were refused. */
  readonly refusals: KeptWrites<Refusal>;
  readonly deletions: KeptWrites<Deletion>;
  /** Pages beside the API. */
  readonly site: SiteSlot;
}
