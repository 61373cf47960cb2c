// A member of a consumer group by Kafka's own Java client, for tests of groups with members of several kinds.
//
//   java -cp "$OTTLA_TEST_KAFKA_LIBS/*" test/java/Member.java BOOTSTRAP GROUP TOPIC ASSIGNORS [--records] [KEY=VALUE...]
//
//   BOOTSTRAP   host:port,...
//   GROUP       the group's name
//   TOPIC       the topic to subscribe to
//   ASSIGNORS   cooperative-sticky, sticky, range, roundrobin or a class name; several with commas, preferred first
//   --records   print and commit every record (without it nothing is printed of them, and nothing is committed)
//   KEY=VALUE   any setting of the Java consumer, such as session.timeout.ms=6000 or group.instance.id=a
//
// Prints to standard output, one line each, flushed at once:
//
//   assigned NANOS P P P    what was newly assigned (none: the line ends after NANOS)
//   revoked NANOS P P P     what is given up, at the time when it is given up
//   lost NANOS P P P        what was lost without being asked
//   record P O              a record was handled: partition and offset (with --records)
//   closed NANOS            the group has been left
//
// NANOS is the wall clock in nanoseconds since 1970. Logs and errors go to standard error.
// It leaves the group and ends with status 0 when its standard input is closed.

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class Member {
  // The logging library writes to System.out by default: it gets standard error, before it is loaded.
  private static final java.io.PrintStream OUT = System.out;

  static {
    System.setOut(System.err);
  }

  private static final Map<String, String> ASSIGNORS =
      Map.of(
          "cooperative-sticky", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
          "sticky", "org.apache.kafka.clients.consumer.StickyAssignor",
          "range", "org.apache.kafka.clients.consumer.RangeAssignor",
          "roundrobin", "org.apache.kafka.clients.consumer.RoundRobinAssignor");

  public static void main(String[] args) {
    if (args.length < 4) {
      System.err.println("usage: Member.java BOOTSTRAP GROUP TOPIC ASSIGNORS [--records] [KEY=VALUE...]");
      System.exit(2);
    }
    boolean records = Arrays.asList(args).contains("--records");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings(args))) {
      new Member(consumer, records).run(args[2]);
    }
    say("closed", List.of());
  }

  private static Properties settings(String[] args) {
    Properties p = new Properties();
    p.put("bootstrap.servers", args[0]);
    p.put("group.id", args[1]);
    p.put("partition.assignment.strategy",
        Arrays.stream(args[3].split(",")).map(a -> ASSIGNORS.getOrDefault(a, a)).collect(Collectors.joining(",")));
    p.put("group.protocol", "classic");
    p.put("enable.auto.commit", "false");
    p.put("auto.offset.reset", "earliest");
    p.put("key.deserializer", ByteArrayDeserializer.class.getName());
    p.put("value.deserializer", ByteArrayDeserializer.class.getName());
    for (String arg : Arrays.asList(args).subList(4, args.length)) {
      int eq = arg.indexOf('=');
      if (eq > 0) {
        p.put(arg.substring(0, eq), arg.substring(eq + 1));
      } else if (!arg.equals("--records")) {
        System.err.println("neither --records nor KEY=VALUE: " + arg);
        System.exit(2);
      }
    }
    return p;
  }

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final boolean records;
  private boolean uncommitted;

  private Member(KafkaConsumer<byte[], byte[]> consumer, boolean records) {
    this.consumer = consumer;
    this.records = records;
  }

  private void run(String topic) {
    consumer.subscribe(List.of(topic), new Listener());
    endWithStandardInput();
    try {
      while (true) {
        for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
          if (records) {
            print("record " + r.partition() + " " + r.offset());
            uncommitted = true;
          }
        }
        commit();
      }
    } catch (WakeupException e) {
      // Standard input was closed. close() calls the listener once more and leaves the group.
    }
  }

  // All that poll has returned has been handled, so the positions are what is to be committed.
  private void commit() {
    if (!uncommitted) {
      return;
    }
    try {
      consumer.commitSync();
      uncommitted = false;
    } catch (RebalanceInProgressException e) {
      // The next poll completes the rebalance; what it takes away is committed in onPartitionsRevoked.
    } catch (WakeupException e) {
      commit(); // the wake-up is used up: commit, then end
      throw e;
    } catch (KafkaException e) {
      System.err.println("commit: " + e);
      uncommitted = false; // thrown out of the group: the next owner handles these records again
    }
  }

  private void endWithStandardInput() {
    Thread t = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {}
      } catch (java.io.IOException e) {
        System.err.println("standard input: " + e);
      }
      consumer.wakeup();
    });
    t.setDaemon(true);
    t.start();
  }

  private class Listener implements ConsumerRebalanceListener {
    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
      say("assigned", partitions);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
      commit();
      say("revoked", partitions);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
      say("lost", partitions);
    }
  }

  private static void say(String what, Collection<TopicPartition> partitions) {
    Instant now = Instant.now();
    StringBuilder line = new StringBuilder(what).append(' ').append(now.getEpochSecond() * 1_000_000_000L + now.getNano());
    partitions.stream().mapToInt(TopicPartition::partition).sorted().forEach(p -> line.append(' ').append(p));
    print(line.toString());
  }

  private static void print(String line) {
    OUT.println(line);
    OUT.flush();
  }
}
