// The proposal of one metric of an autoscaler: reads it, computes replicas, and makes the metric's status.

import type {
  CrossVersionObjectReference,
  ExternalMetricSource,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
  ObjectMetricSource,
  PodsMetricSource,
} from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { formatQuantity, milliValue, type QuantityFormat } from '../../machinery/quantity.ts';
import { externalMetric, objectMetric, podsMetric, resourceMetrics } from './metrics-apis.ts';
import {
  replicasForAverage,
  replicasForShare,
  replicasForUtilization,
  replicasForValue,
  sumOfValues,
  type Target,
} from './replica-count.ts';
import { shownSelector } from './selector-text.ts';

export interface MetricProposal {
  readonly replicas: number;
  /** As messages name the metric. */
  readonly name: string;
  readonly status: MetricStatus;
}

/** The metric gives no proposal. */
export class MetricFailure extends Error {
  /** Of the event and of the condition ScalingActive. */
  readonly reason: string;
  /** The cause, for event and condition; `message` has more words around it. */
  readonly shown: string;
  /** The autoscaler's specification is at fault, not a measurement. */
  readonly isOfSpec: boolean;

  constructor(reason: string, shown: string, message: string, isOfSpec = false) {
    super(message);
    this.reason = reason;
    this.shown = shown;
    this.isOfSpec = isOfSpec;
  }
}

/** The target with the means to measure it. */
interface Measurable {
  readonly client: Client;
  readonly namespace: string;
  readonly selector: string;
  readonly target: Target;
  /** Of the scale's status. */
  readonly statusReplicas: number;
  /** Plural and group of an object's kind. */
  resourceOf(reference: CrossVersionObjectReference): Promise<string>;
}

/** Rejects with a MetricFailure. */
export async function proposeFor(spec: MetricSpec, measurable: Measurable): Promise<MetricProposal> {
  if (spec.resource) return forResource(spec.resource, '', measurable);
  if (spec.containerResource) return forResource(spec.containerResource, spec.containerResource.container, measurable);
  if (spec.pods) return forPods(spec.pods, measurable);
  if (spec.object) return forObject(spec.object, measurable);
  if (spec.external) return forExternal(spec.external, measurable);
  const why = `unknown metric source type ${JSON.stringify(spec.type)}`;
  throw new MetricFailure('InvalidMetricSourceType', why, why, true);
}

/** Adds words before the message of an error. */
const explained =
  (why: string, separator = ': ') =>
  (error: Error): never => {
    throw new Error(why + separator + error.message);
  };

/** Runs `propose`; its error becomes a MetricFailure with `whole` before the message. */
async function orFailure(
  reason: string,
  whole: string,
  propose: () => Promise<MetricProposal>,
  shownWithout = '',
): Promise<MetricProposal> {
  try {
    return await propose();
  } catch (error) {
    const { message } = error as Error;
    throw new MetricFailure(reason, message, `${whole}: ${shownWithout}${message}`);
  }
}

function forResource(
  { name, target }: { readonly name: string; readonly target: MetricTarget },
  container: string,
  measurable: Measurable,
): Promise<MetricProposal> {
  const reason = container ? 'FailedGetContainerResourceMetric' : 'FailedGetResourceMetric';
  const whole = container
    ? `failed to get ${container} container metric value`
    : `failed to get ${name} resource metric value`;
  const statusOf = (current: MetricValueStatus): MetricStatus =>
    container
      ? { type: 'ContainerResource', containerResource: { name, container, current } }
      : { type: 'Resource', resource: { name, current } };
  return orFailure(reason, whole, async () => {
    const { averageValue, averageUtilization: utilization } = target;
    const amount = averageValue === undefined ? 'utilization' : 'usage';
    if (averageValue === undefined && utilization === undefined)
      throw new Error(
        'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set',
      );
    const failed = explained(`failed to get ${name} ${amount}`);
    const metrics = await resourceMetrics(measurable.client, measurable.namespace, measurable.selector, {
      resource: name,
      container,
    }).catch((error) => failed(new Error(`unable to get metrics for resource ${name}: ${error.message}`)));
    if (averageValue !== undefined) {
      const proposed = attempt(
        () => replicasForAverage(measurable.target, metrics, milliValue(averageValue), name),
        failed,
      );
      const status = statusOf({ averageValue: resourceText(name, proposed.usage) });
      return { replicas: proposed.replicas, name: `${name} resource`, status };
    }
    const wanted = { resource: name, container, utilization: utilization ?? 0 };
    const proposed = attempt(() => replicasForUtilization(measurable.target, metrics, wanted), failed);
    return {
      replicas: proposed.replicas,
      name: `${name} ${container ? 'container resource' : 'resource'} utilization (percentage of request)`,
      status: statusOf({
        averageUtilization: proposed.utilization,
        averageValue: resourceText(name, proposed.usage),
      }),
    };
  });
}

function attempt<T>(work: () => T, failed: (error: Error) => never): T {
  try {
    return work();
  } catch (error) {
    return failed(error as Error);
  }
}

function forPods({ metric, target }: PodsMetricSource, measurable: Measurable): Promise<MetricProposal> {
  return orFailure('FailedGetPodsMetric', 'failed to get pods metric value', async () => {
    const { client, namespace, selector } = measurable;
    const metrics = await podsMetric(client, namespace, selector, metric).catch(
      explained(`unable to get metric ${metric.name}`),
    );
    const { replicas, usage } = replicasForAverage(measurable.target, metrics, milliValue(target.averageValue ?? 0));
    const status = { type: 'Pods', pods: { metric, current: { averageValue: quantityText(usage) } } };
    return { replicas, name: `pods metric ${metric.name}`, status };
  });
}

function forObject({ metric, target, describedObject }: ObjectMetricSource, measurable: Measurable) {
  const { client, namespace, target: scaled, statusReplicas, resourceOf } = measurable;
  const read = () =>
    objectMetric(client, namespace, metric, describedObject, () => resourceOf(describedObject)).catch(
      // Kubernetes 1.36 has the words in this order.
      explained(
        `unable to get metric ${metric.name}: ${describedObject.kind} on ${namespace} ${describedObject.name}`,
        '/',
      ),
    );
  const statusOf = (current: MetricValueStatus) => ({ type: 'Object', object: { describedObject, metric, current } });
  const { value, averageValue } = target;
  const isShare = target.type === 'AverageValue' && averageValue !== undefined;
  const propose = async (): Promise<MetricProposal> => {
    if (target.type === 'Value' && value !== undefined) {
      const { replicas, usage } = replicasForValue(scaled, await read(), milliValue(value));
      const name = `${describedObject.kind} metric ${metric.name}`;
      return { replicas, name, status: statusOf({ value: quantityText(usage) }) };
    }
    if (!isShare)
      throw new Error('invalid object metric source: neither a value target nor an average value target was set');
    const shared = { ...scaled, replicas: statusReplicas };
    const { replicas, usage } = replicasForShare(shared, await read(), milliValue(averageValue));
    const name = `external metric ${metric.name}(${shownSelector(metric.selector)})`;
    return { replicas, name, status: statusOf({ averageValue: quantityText(usage) }) };
  };
  const detail = isShare ? `failed to get ${metric.name} object metric: ` : '';
  return orFailure('FailedGetObjectMetric', 'failed to get object metric value', propose, detail);
}

function forExternal({ metric, target }: ExternalMetricSource, measurable: Measurable): Promise<MetricProposal> {
  const { client, namespace, target: scaled, statusReplicas } = measurable;
  const shown = shownSelector(metric.selector);
  const read = async () =>
    sumOfValues(
      await externalMetric(client, namespace, metric).catch(
        explained(`unable to get external metric ${namespace}/${metric.name}/${shown}`),
      ),
    );
  const statusOf = (current: MetricValueStatus) => ({ type: 'External', external: { metric, current } });
  const name = `external metric ${metric.name}(${shown})`;
  const { value, averageValue } = target;
  const propose = async (): Promise<MetricProposal> => {
    if (averageValue !== undefined) {
      const shared = { ...scaled, replicas: statusReplicas };
      const { replicas, usage } = replicasForShare(shared, await read(), milliValue(averageValue));
      return { replicas, name, status: statusOf({ averageValue: quantityText(usage) }) };
    }
    if (value === undefined)
      throw new Error('invalid external metric source: neither a value target nor an average value target was set');
    const { replicas, usage } = replicasForValue(scaled, await read(), milliValue(value));
    return { replicas, name, status: statusOf({ value: quantityText(usage) }) };
  };
  const whole = `failed to get ${metric.name} external metric value`;
  const detail =
    averageValue !== undefined
      ? `failed to get ${metric.name} external metric: `
      : value !== undefined
        ? `failed to get external metric ${metric.name}: `
        : '';
  return orFailure('FailedGetExternalMetric', whole, propose, detail);
}

/** Thousandths as a quantity. */
const quantityText = (thousandths: number, format: QuantityFormat = 'DecimalSI'): string =>
  formatQuantity({ nanos: BigInt(thousandths) * 1_000_000n, format });

/** Memory is shown in units of 1024, as metrics-server does. */
const resourceText = (resource: string, thousandths: number): string =>
  quantityText(thousandths, resource === 'memory' ? 'BinarySI' : 'DecimalSI');
