{
  "targets": [
    {
      "target_name": "hamsa_gateway",
      "sources": [
        "native/addon.cc",
        "native/addon-batch.cc",
        "native/addon-media.cc",
        "native/base64.cc",
        "native/g711.cc",
        "native/media-thread.cc",
        "native/media-transport.cc",
        "native/mirrored-memory.cc",
        "native/paced-sender.cc",
        "native/paced-streams.cc",
        "native/realtime-thread.cc",
        "native/speech-power.cc",
        "native/standby-sender.cc",
        "native/udp-socket.cc"
      ],
      "defines": ["NAPI_VERSION=8"],
      # GCC 12 and 13 merge functions that differ only in value ranges it has inferred, and then use the wrong ones (GCC bug
      # 113907): it cut short a table loop of g711.cc.
      # Fused operations round once where JavaScript rounds twice.
      "cflags": ["-Wall", "-Wextra", "-Wshadow", "-fvisibility=hidden", "-fno-ipa-icf", "-ffp-contract=off"],
      "cflags_cc": ["-std=c++17"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "conditions": [["OS!='linux'", {"type": "none", "sources": []}]]
    }
  ]
}
