export { type Job, Queue, UnrecoverableError, WaitingError, Worker } from 'bullmq';
