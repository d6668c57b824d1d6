export { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
