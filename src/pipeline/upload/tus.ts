export { DataStore, ERRORS, type Lock, type Locker, MemoryLocker, Server as TusServer, Upload } from '@tus/server';
