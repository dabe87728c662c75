export { AlarmQueues } from './alarm-queues.ts';
export { type AlarmHandler, AlarmWorkers, type AlarmWorkersOptions } from './alarm-workers.ts';
export { DeliveryQueue, type DeliveryQueueOptions } from './delivery-queue.ts';
export { jobId } from './names.ts';
export { SweepSchedule } from './sweep-schedule.ts';
