// The waiting and running requests of each level, as text for debugging rejections.
// https://kubernetes.io/docs/reference/debug-cluster/flow-control/

import { alignColumns } from './columns.ts';
import type { Level } from './levels.ts';

const sorted = (levels: Iterable<Level>): Level[] => [...levels].sort((a, b) => (a.name < b.name ? -1 : 1));

export function dumpPriorityLevels(levels: Iterable<Level>): string {
  const header = [
    'PriorityLevelName',
    'ActiveQueues',
    'IsIdle',
    'IsQuiescing',
    'WaitingRequests',
    'ExecutingRequests',
    'DispatchedRequests',
    'RejectedRequests',
    'TimedoutRequests',
    'CancelledRequests',
  ];
  const rows = sorted(levels).map(({ name, queues, isQuiescing }) => [
    name,
    queues.queues.filter(({ waiting }) => waiting.size > 0).length,
    queues.isIdle,
    isQuiescing,
    queues.waiting,
    queues.executing,
    queues.counts.dispatched,
    queues.counts.rejected,
    queues.counts.timedOut,
    queues.counts.cancelled,
  ]);
  return alignColumns([header, ...rows]);
}

export function dumpQueues(levels: Iterable<Level>): string {
  const header = [
    'PriorityLevelName',
    'Index',
    'PendingRequests',
    'ExecutingRequests',
    'SeatsInUse',
    'NextDispatchR',
    'InitialSeatsSum',
    'MaxSeatsSum',
    'TotalWorkSum',
  ];
  const rows = sorted(levels).flatMap(({ name, queues }) =>
    queues.queues.map(({ index, waiting, executing, seatsInUse, nextStart, waitingWork }) => {
      const initial = [...waiting].reduce((sum, { arrival }) => sum + arrival.width.seats, 0);
      const most = [...waiting].reduce((sum, { seats }) => sum + seats, 0);
      return [
        name,
        index,
        waiting.size,
        executing,
        seatsInUse,
        seatSeconds(nextStart),
        initial,
        most,
        seatSeconds(waitingWork),
      ];
    }),
  );
  return alignColumns([header, ...rows]);
}

export function dumpRequests(levels: Iterable<Level>, withDetails: boolean): string {
  const header = [
    'PriorityLevelName',
    'FlowSchemaName',
    'QueueIndex',
    'RequestIndexInQueue',
    'FlowDistingsher',
    'ArriveTime',
    'InitialSeats',
    'FinalSeats',
    'AdditionalLatency',
    'StartTime',
  ];
  const rows = sorted(levels).flatMap(({ name, queues }) => {
    const positions = new Map<number, number>();
    return [...queues.waitingRequests()].map(({ queue, arrival, arrivedAt }) => {
      const position = positions.get(queue.index) ?? 0;
      positions.set(queue.index, position + 1);
      const { schema, distinguisher, width, user } = arrival;
      return [
        name,
        schema,
        queue.index,
        position,
        distinguisher,
        new Date(arrivedAt).toISOString(),
        width.seats,
        width.finalSeats,
        `${width.additionalMs}ms`,
        '0001-01-01T00:00:00Z',
        ...(withDetails ? [user] : []),
      ];
    });
  });
  return alignColumns([[...header, ...(withDetails ? ['UserName'] : [])], ...rows]);
}

const seatSeconds = (seatMs: number): string => `${(seatMs / 1000).toFixed(8)}ss`;
