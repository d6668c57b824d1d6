{
  "targets": [
    {
      "target_name": "moovedge",
      "sources": [
        "addon.cc",
        "arguments.cc",
        "clients.cc",
        "gate.cc",
        "gate_accept.cc",
        "gate_read.cc",
        "gate_secure.cc",
        "gate_turn.cc",
        "gathering.cc",
        "imports.cc",
        "listener.cc",
        "listening.cc",
        "live_ring.cc",
        "live_ring_file.cc",
        "live_ring_reader.cc",
        "live_ring_writer.cc",
        "live_send.cc",
        "memory_tier.cc",
        "pieces.cc",
        "refusals.cc",
        "request_head.cc",
        "samples.cc",
        "sampling.cc",
        "shm_cache.cc",
        "shm_carry.cc",
        "shm_crc.cc",
        "shm_doorbell.cc",
        "shm_file.cc",
        "shm_gather.cc",
        "shm_housekeeping.cc",
        "shm_layout.cc",
        "shm_lock.cc",
        "shm_process.cc",
        "shm_stats.cc",
        "shm_stripe.cc",
        "shm_system.cc",
        "unsent.cc",
        "words.cc"
      ],
      # Without the last, a doorbell rung while the environment ends would end the process as a crash.
      "defines": ["NAPI_DISABLE_CPP_EXCEPTIONS", "NAPI_VERSION=8", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags": ["-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-fvisibility=hidden", "-isystem", "<!(node -p \"require('path').resolve(require('node-addon-api').include_dir)\")"],
      "cflags!": ["-O3"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions", "-fno-rtti"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "ldflags": ["-pthread"]
    }
  ]
}
