import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Starts a Kafka broker on the loopback interface, writes to it as applications do, and copies the log
 * files that it leaves on its disk, with what a consumer (read_committed) gets of them.
 *
 * <p>Arguments: the folder for the files, and one for the broker. Or `--read FILE`: prints a log file.
 */
public final class LogFiles {
  static final long START = 1_700_000_000_000L;
  static final Duration PATIENCE = Duration.ofSeconds(60);

  final Path files;
  final Path data;
  final String server;
  final Map<String, List<ConsumerRecord<byte[], byte[]>>> expected = new LinkedHashMap<>();
  final Admin admin;

  public static void main(String[] args) throws Exception {
    if (args[0].equals("--read")) {
      read(Path.of(args[1]));
      return;
    }
    Path work = Path.of(args[1]);
    Path data = work.resolve("data");
    int port = freePort();
    Process broker = startBroker(work, data, port);
    try {
      new LogFiles(Path.of(args[0]), data, "127.0.0.1:" + port).makeAll();
    } finally {
      broker.destroy();
      if (!broker.waitFor(30, TimeUnit.SECONDS)) broker.destroyForcibly();
    }
  }

  LogFiles(Path files, Path data, String server) {
    this.files = files;
    this.data = data;
    this.server = server;
    this.admin = Admin.create(Map.of("bootstrap.servers", server));
  }

  void makeAll() throws Exception {
    try (admin) {
      admin.describeCluster().nodes().get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) makeCodec(codec);
      makeAppendTime();
      makeCompacted();
      makeTransactions();
      makeSegments();
      makeActive();
      writeExpected();
    }
  }

  // --- The files

  /** Three batches; of a codec, one more that is larger than a block of any of them. */
  void makeCodec(String codec) throws Exception {
    String topic = "codec-" + codec;
    create(topic, Map.of());
    try (var producer = producer(Map.of("compression.type", codec))) {
      for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < 8; i++) send(producer, topic, "k" + i % 3, event(batch * 8 + i), batch);
        producer.flush();
      }
      producer.send(record(topic, START + 3, "nothing".getBytes(), null));
      producer.send(record(topic, START + 3, null, new byte[] {(byte) 0xff, 0, (byte) 0x80}));
      producer.flush();
      if (codec.equals("none")) {
        copy(topic);
        return;
      }
      // Text that repeats itself, over several blocks; then bytes that no codec makes smaller.
      StringBuilder text = new StringBuilder();
      for (int i = 0; text.length() < 150_000; i++) text.append(event(i % 50)).append('\n');
      byte[] noise = new byte[600];
      new Random(7).nextBytes(noise);
      producer.send(record(topic, START + 4, "long".getBytes(), text.toString().getBytes()));
      producer.send(record(topic, START + 4, "noise".getBytes(), noise));
      producer.flush();
    }
    copy(topic);
  }

  void makeAppendTime() throws Exception {
    create("append-time", Map.of("message.timestamp.type", "LogAppendTime"));
    try (var producer = producer(Map.of("compression.type", "lz4"))) {
      for (int i = 0; i < 5; i++) send(producer, "append-time", "k" + i, event(i), 0);
      producer.flush();
    }
    copy("append-time");
  }

  /**
   * After the cleaner: batches are gone, others have lost records or all of them, a tombstone has its
   * horizon, and of transactions there are markers without what was aborted.
   */
  void makeCompacted() throws Exception {
    String topic = "compacted";
    create(topic, Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01"));
    try (var plain = producer(Map.of("enable.idempotence", "false"));
        var idempotent = producer(Map.of("compression.type", "zstd"));
        var replaced = producer(Map.of("compression.type", "snappy"));
        var transactional = producer(Map.of("transactional.id", "compacted"))) {
      for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 5; i++) send(plain, topic, "k" + i, event(round * 5 + i), round);
        plain.flush();
        send(idempotent, topic, "once-" + round, event(round), round);
        send(idempotent, topic, "k" + round % 4, event(round), round);
        idempotent.flush();
      }
      // The last batch of an idempotent producer stays, empty.
      send(replaced, topic, "replaced", event(0), 6);
      replaced.flush();
      plain.send(record(topic, START + 7, "once-1".getBytes(), null));
      plain.flush();
      transactional.initTransactions();
      for (String end : List.of("committed", "aborted", "committed")) {
        transactional.beginTransaction();
        send(transactional, topic, end, event(7), 7);
        send(transactional, topic, "k0", event(8), 7);
        transactional.flush();
        if (end.equals("aborted")) transactional.abortTransaction();
        else transactional.commitTransaction();
      }
      for (int round = 0; round < 3; round++) {
        send(plain, topic, "replaced", event(round), 8);
        plain.flush();
      }
      // A segment that is being written to is not cleaned: the next one begins with a later record.
      alter(topic, "segment.ms", "60000");
      plain.send(record(topic, START + 120_000, "later".getBytes(), event(0).getBytes()));
      plain.flush();
      Path file = folder(topic).resolve("00000000000000000000.log");
      long before = Files.size(file);
      await("the cleaner", () -> Files.exists(file) && Files.size(file) < before);
      Thread.sleep(2_000); // the cleaner swaps the files of a segment one after the other
    }
    copy(topic);
  }

  /** Transactions of two producers, one through the other, and records outside of any. */
  void makeTransactions() throws Exception {
    String topic = "transactions";
    create(topic, Map.of());
    try (var plain = producer(Map.of());
        var a = producer(Map.of("transactional.id", "a"));
        var b = producer(Map.of("transactional.id", "b", "compression.type", "lz4"))) {
      a.initTransactions();
      b.initTransactions();
      send(plain, topic, "plain", event(0), 0);
      plain.flush();
      a.beginTransaction();
      b.beginTransaction();
      for (int i = 0; i < 3; i++) send(a, topic, "committed-a", event(i), 1);
      a.flush();
      for (int i = 0; i < 3; i++) send(b, topic, "aborted-b", event(i), 1);
      b.flush();
      send(plain, topic, "plain", event(1), 2);
      plain.flush();
      send(a, topic, "committed-a", event(3), 2);
      a.flush();
      b.abortTransaction();
      send(plain, topic, "plain", event(2), 3);
      plain.flush();
      a.commitTransaction();
      b.beginTransaction();
      send(b, topic, "committed-b", event(4), 4);
      b.commitTransaction();
      a.beginTransaction();
      send(a, topic, "aborted-a", event(5), 5);
      a.flush();
      a.abortTransaction();
      copy(topic);
      // One that is open while the file is copied; nobody gets what comes after it before it ends.
      b.beginTransaction();
      send(b, topic, "open-b", event(6), 6);
      b.flush();
      send(plain, topic, "plain", event(7), 7);
      plain.flush();
      copySegments(topic, "open-transaction");
      long end = endOf(topic);
      b.abortTransaction();
      List<ConsumerRecord<byte[], byte[]>> records = consume(topic);
      records.removeIf(record -> record.offset() >= end);
      expected.put("open-transaction", records);
    }
  }

  /** Two segments, and a transaction that begins in the first and ends in the second. */
  void makeSegments() throws Exception {
    String topic = "two-segments";
    create(topic, Map.of("segment.ms", "60000"));
    try (var plain = producer(Map.of("compression.type", "snappy"));
        var committed = producer(Map.of("transactional.id", "c"));
        var aborted = producer(Map.of("transactional.id", "d"))) {
      committed.initTransactions();
      aborted.initTransactions();
      committed.beginTransaction();
      aborted.beginTransaction();
      for (int i = 0; i < 4; i++) send(plain, topic, "k" + i, event(i), 0);
      plain.flush();
      send(committed, topic, "committed", event(4), 1);
      committed.flush();
      send(aborted, topic, "aborted", event(5), 2);
      aborted.flush();
      plain.send(record(topic, START + 120_000, "k5".getBytes(), event(6).getBytes()));
      plain.flush();
      // Markers have the time of today, which would begin a third segment.
      alter(topic, "segment.ms", "604800000000");
      committed.commitTransaction();
      aborted.abortTransaction();
      send(plain, topic, "k6", event(7), 120_001);
      plain.flush();
    }
    copy(topic);
  }

  /** The segment that is being written to, with the zeros that the broker has preallocated. */
  void makeActive() throws Exception {
    String topic = "preallocated";
    create(topic, Map.of("preallocate", "true", "internal.segment.bytes", "8192"));
    try (var producer = producer(Map.of())) {
      for (int batch = 0; batch < 3; batch++) {
        for (int i = 0; i < 4; i++) send(producer, topic, "k" + i, event(batch * 4 + i), batch);
        producer.flush();
      }
    }
    copy(topic);
  }

  // --- The broker

  static Process startBroker(Path work, Path data, int port) throws Exception {
    int controller = freePort();
    Path properties = work.resolve("server.properties");
    Files.createDirectories(work);
    Files.writeString(
        properties,
        """
        process.roles=broker,controller
        node.id=1
        controller.quorum.voters=1@127.0.0.1:%d
        listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d
        advertised.listeners=PLAINTEXT://127.0.0.1:%d
        controller.listener.names=CONTROLLER
        listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
        log.dirs=%s
        auto.create.topics.enable=false
        offsets.topic.replication.factor=1
        offsets.topic.num.partitions=1
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        transaction.state.log.num.partitions=1
        log.cleaner.backoff.ms=100
        log.cleaner.dedupe.buffer.size=2097152
        log.cleaner.threads=1
        group.initial.rebalance.delay.ms=0
        """
            .formatted(controller, port, controller, port, data));
    String id = Uuid.randomUuid().toString();
    Process format =
        java(work, "kafka.tools.StorageTool", "format", "-t", id, "-c", properties.toString());
    if (format.waitFor() != 0) throw new IOException("the broker's folder: see " + work);
    return java(work, "kafka.Kafka", properties.toString());
  }

  static Process java(Path work, String... command) throws IOException {
    List<String> all = new ArrayList<>();
    all.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    all.addAll(List.of("-Xmx512m", "-cp", System.getProperty("java.class.path")));
    all.addAll(List.of(command));
    ProcessBuilder builder = new ProcessBuilder(all).directory(work.toFile());
    builder.redirectErrorStream(true);
    builder.redirectOutput(ProcessBuilder.Redirect.appendTo(work.resolve("broker.txt").toFile()));
    return builder.start();
  }

  static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  void create(String topic, Map<String, String> config) throws Exception {
    Map<String, String> all = new TreeMap<>(config);
    all.put("retention.ms", "-1");
    all.put("message.timestamp.before.max.ms", String.valueOf(Long.MAX_VALUE));
    // Records are from 2023 and markers from today: one segment takes both.
    all.putIfAbsent("segment.ms", "604800000000");
    all.putIfAbsent("segment.jitter.ms", "0");
    admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(all))).all().get();
  }

  void alter(String topic, String name, String value) throws Exception {
    var resource =
        new org.apache.kafka.common.config.ConfigResource(
            org.apache.kafka.common.config.ConfigResource.Type.TOPIC, topic);
    var operation =
        new org.apache.kafka.clients.admin.AlterConfigOp(
            new org.apache.kafka.clients.admin.ConfigEntry(name, value),
            org.apache.kafka.clients.admin.AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all().get();
    Thread.sleep(1_000); // the broker hears of it a moment later
  }

  // --- Producers and consumers

  KafkaProducer<byte[], byte[]> producer(Map<String, String> config) {
    Map<String, Object> all = new TreeMap<>(config);
    all.put("bootstrap.servers", server);
    all.put("linger.ms", "10000"); // a batch is what lies between two calls of flush()
    all.put("batch.size", "1000000");
    all.put("transaction.timeout.ms", "600000");
    if (!config.containsKey("transactional.id")) all.remove("transaction.timeout.ms");
    return new KafkaProducer<>(all, new ByteArraySerializer(), new ByteArraySerializer());
  }

  void send(KafkaProducer<byte[], byte[]> producer, String topic, String key, String value, long ms) {
    ProducerRecord<byte[], byte[]> record =
        record(topic, START + ms, key.getBytes(StandardCharsets.UTF_8), value.getBytes());
    record.headers().add("trace", ("t-" + ms).getBytes());
    if (key.endsWith("1")) record.headers().add("trace", null);
    producer.send(record);
  }

  static ProducerRecord<byte[], byte[]> record(String topic, long ms, byte[] key, byte[] value) {
    return new ProducerRecord<>(topic, 0, ms, key, value);
  }

  static String event(int i) {
    return "{\"id\":" + i + ",\"name\":\"größe " + i + "\",\"open\":" + (i % 2 == 0) + "}";
  }

  long endOf(String topic) {
    try (var consumer = consumer("read_uncommitted")) {
      TopicPartition partition = new TopicPartition(topic, 0);
      return consumer.endOffsets(List.of(partition)).get(partition);
    }
  }

  KafkaConsumer<byte[], byte[]> consumer(String isolation) {
    Map<String, Object> config =
        Map.of(
            "bootstrap.servers", server,
            "isolation.level", isolation,
            "enable.auto.commit", "false",
            "auto.offset.reset", "earliest");
    return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  List<ConsumerRecord<byte[], byte[]>> consume(String topic) {
    TopicPartition partition = new TopicPartition(topic, 0);
    try (var consumer = consumer("read_committed")) {
      consumer.assign(List.of(partition));
      consumer.seekToBeginning(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
      while (consumer.position(partition) < end) {
        consumer.poll(Duration.ofMillis(200)).forEach(records::add);
      }
      return records;
    }
  }

  // --- What is written

  Path folder(String topic) {
    return data.resolve(topic + "-0");
  }

  void copy(String topic) throws IOException {
    expected.put(topic, consume(topic));
    copySegments(topic, topic);
  }

  /** Several segments keep the broker's names for them, after ours. */
  void copySegments(String topic, String name) throws IOException {
    List<Path> segments;
    try (var all = Files.list(folder(topic))) {
      segments = all.filter(file -> file.toString().endsWith(".log")).sorted().toList();
    }
    for (Path segment : segments) {
      String suffix = segments.size() == 1 ? ".log" : "-" + segment.getFileName();
      Files.copy(segment, files.resolve(name + suffix));
      System.out.println(name + suffix + ": " + Files.size(segment) + " bytes");
    }
  }

  void writeExpected() throws IOException {
    String version = org.apache.kafka.common.utils.internals.AppInfoParser.getVersion();
    StringBuilder json = new StringBuilder("{\n  \"kafka\": \"" + version + "\",\n");
    json.append("  \"files\": {\n");
    json.append(
        expected.entrySet().stream()
            .map(
                entry ->
                    "    \"" + entry.getKey() + "\": [\n"
                        + entry.getValue().stream()
                            .map(record -> "      " + json(record))
                            .collect(Collectors.joining(",\n"))
                        + "\n    ]")
            .collect(Collectors.joining(",\n")));
    Files.writeString(files.resolve("expected.json"), json.append("\n  }\n}\n"));
  }

  static String json(ConsumerRecord<byte[], byte[]> record) {
    String headers =
        Arrays.stream(record.headers().toArray())
            .map((Header header) -> "[\"" + header.key() + "\", " + json(header.value()) + "]")
            .collect(Collectors.joining(", ", "[", "]"));
    return "{ \"offset\": %d, \"timestamp\": %d, \"key\": %s, \"value\": %s, \"headers\": %s }"
        .formatted(
            record.offset(), record.timestamp(), json(record.key()), json(record.value()), headers);
  }

  /** Bytes in hex; long ones as their SHA-256. */
  static String json(byte[] bytes) {
    if (bytes == null) return "null";
    if (bytes.length <= 200) return "\"" + HexFormat.of().formatHex(bytes) + "\"";
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes);
      return "\"sha256:" + HexFormat.of().formatHex(hash) + "\"";
    } catch (java.security.NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
  }

  /** What Kafka's own code says of a log file. */
  static void read(Path file) throws IOException {
    try (FileRecords records = FileRecords.open(file.toFile(), false)) {
      for (RecordBatch batch : records.batches()) {
        batch.ensureValid();
        System.out.println(batch);
        for (var record : batch) {
          System.out.println("  " + record.offset() + " " + record.timestamp() + " "
              + json(bytes(record.key())) + " " + json(bytes(record.value())));
        }
      }
    }
  }

  static byte[] bytes(ByteBuffer buffer) {
    if (buffer == null) return null;
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  interface Condition {
    boolean holds() throws IOException;
  }

  static void await(String what, Condition condition) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (true) {
      try {
        if (condition.holds()) return;
      } catch (IOException | UncheckedIOException error) {
        // The broker is just renaming it.
      }
      if (System.nanoTime() > deadline) throw new IOException("waited in vain for " + what);
      Thread.sleep(100);
    }
  }
}
