#!/usr/bin/env bash
# Runs a command beside a real Apache Kafka, without Docker.
#
#   bash test/with-kafka.sh [-n 1|3] CMD [ARG...]
#
# Fetches the broker's jars with Maven (once), starts 1 or 3 KRaft nodes on 127.0.0.1 with free ports and an
# empty temporary folder, runs CMD, ends the nodes and returns CMD's status.
# Needs a JDK of 17 or later, Maven (only to fetch) and openssl.
#
# CMD sees:
#   OTTLA_TEST_BROKERS       host:port,...  PLAINTEXT, node 1 first
#   OTTLA_TEST_SASL_BROKERS  host:port,...  SASL_SSL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512,
#                                           OAUTHBEARER (unsecured JWS, any subject; the broker ends a
#                                           connection when its token has expired)
#   OTTLA_TEST_MTLS_BROKERS  host:port,...  SSL, a client certificate is required
#   OTTLA_TEST_USER, OTTLA_TEST_PASSWORD    for PLAIN and SCRAM; everybody may do everything where no ACL says
#                                           otherwise, and who comes in plaintext may set them
#   OTTLA_TEST_CA            PEM file: the CA that signed the servers' and the client's certificates
#   OTTLA_TEST_OTHER_CA      PEM file: a CA that signed nothing here
#   OTTLA_TEST_CLIENT_CERT, OTTLA_TEST_CLIENT_KEY   PEM files, for the mTLS listener
#   OTTLA_TEST_KAFKA_DIR     a folder for each node, n1 .. nN (node.id 1 .. N), with
#                              pid    the process that runs it now: kill -9, -STOP, -CONT it as you like
#                              start  an executable that starts the node again: same ports, same data;
#                                     it writes pid and returns at once; a node that was killed answers
#                                     again after some 12 s, as its old registration has to expire first
#                              out.log, server.properties
#   OTTLA_TEST_KAFKA_LIBS    a folder of jars: java -cp "$OTTLA_TEST_KAFKA_LIBS/*" test/java/Member.java ...
#
# Reads:
#   OTTLA_KAFKA_CACHE        where the jars are kept (default .build/kafka of this repository)
#   OTTLA_KAFKA_KEEP=1       keep the temporary folder, to look at it afterwards
#
# Exit status: CMD's own; 77 when there can be no Kafka here (no java, no mvn, no openssl, a download that
# failed); 1 when the nodes did not start, with their logs; 2 for wrong arguments.
# Whoever asks for a topic in the wrong way creates it (auto.create.topics.enable=true, as brokers have it by default):
# a client that has to leave that alone is found out.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pom=$root/test/kafka/pom.xml
user=ottla password=letters
start_timeout=180 # seconds, for all nodes

usage() { sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
say() { echo "with-kafka: $*" >&2; }
cannot() { say "no real Kafka here: $*"; exit 77; }

# ---- what is needed ---------------------------------------------------------------------------------------

check_tools() {
  command -v java >/dev/null || cannot "java is not installed (a JDK of 17 or later is needed)"
  command -v openssl >/dev/null || cannot "openssl is not installed"
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ] || cannot "java is version ${version:-unknown}, 17 or later is needed"
}

# The folder's name carries the pom's checksum: another broker version is another folder.
# It appears whole or not at all, also when two runs fetch at the same time.
fetch_jars() {
  local cache=${OTTLA_KAFKA_CACHE:-$root/.build/kafka} partial log
  libs=$cache/libs-$(cksum <"$pom" | cut -d ' ' -f 1)
  [ ! -d "$libs" ] || return 0
  command -v mvn >/dev/null || cannot "mvn is not installed (Maven fetches the broker's jars)"
  mkdir -p "$cache"
  partial=$(mktemp -d "$cache/partial.XXXXXX") log=$partial.log
  say "fetching the broker's jars into $libs"
  if ! timeout 600 mvn -B -f "$pom" dependency:copy-dependencies -DoutputDirectory="$partial" \
    -DincludeScope=runtime >"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    rm -rf "$partial" "$log"
    cannot "the jars could not be fetched (Maven's last lines are above)"
  fi
  mv -T "$partial" "$libs" 2>/dev/null || rm -rf "$partial"
  rm -f "$log"
}

# ---- certificates -----------------------------------------------------------------------------------------

new_ca() { # NAME COMMON-NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$2" \
    -keyout "$dir/$1.key" -out "$dir/$1.pem" 2>/dev/null
}

new_cert() { # NAME COMMON-NAME: signed by the CA, good for the loopback address
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
    -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
  openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 \
    -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") -out "$dir/$1.pem" 2>/dev/null
}

make_certificates() {
  new_ca ca ottla-test-ca
  new_ca other-ca ottla-test-other-ca
  new_cert server localhost
  new_cert client ottla-test-client
  cat "$dir/server.key" "$dir/server.pem" "$dir/ca.pem" >"$dir/server-keystore.pem"
}

# ---- ports ------------------------------------------------------------------------------------------------

# Below the range that the kernel takes for outgoing connections, so that nobody gets one by chance while a
# node is down. Between this look and the node's bind another process may still take it: up tries again then.
taken=" "
free_port() { # sets port
  local i
  for i in {1..200}; do
    port=$((10000 + RANDOM % 20000))
    case "$taken" in *" $port "*) continue ;; esac
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
    taken+="$port "
    return 0
  done
  say "found no free port on 127.0.0.1"
  exit 1
}

join() { local IFS=,; echo "$*"; }

# ---- nodes ------------------------------------------------------------------------------------------------

# A Kafka UUID is 16 bytes in base64url; it must not look like an option.
new_uuid() {
  local id=-
  while [ "${id:0:1}" = - ]; do id=$(openssl rand -base64 16 | tr '+/' '-_' | cut -c 1-22); done
  echo "$id"
}

write_log_config() {
  cat >"$dir/log4j2.properties" <<'LOG'
rootLogger.level=warn
rootLogger.appenderRef.stdout.ref=STDOUT
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=info
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
LOG
}

write_node() { # NODE
  local i=$1 replicas=$n in_sync=$((n > 2 ? 2 : 1)) node=$dir/n$1
  local plain=127.0.0.1:${plain_port[i]} sasl=127.0.0.1:${sasl_port[i]} mtls=127.0.0.1:${mtls_port[i]}
  local listeners=PLAINTEXT://$plain,SASL_SSL://$sasl,MTLS://$mtls,CONTROLLER://127.0.0.1:${controller_port[i]}
  mkdir -p "$node"
  cat >"$node/server.properties" <<P
process.roles=broker,controller
node.id=$i
controller.quorum.bootstrap.servers=$(join "${controllers[@]}")
listeners=$listeners
advertised.listeners=$listeners
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MTLS:SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_$user="$password";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="$user";
listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms=3600000
listener.name.mtls.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=$dir/server-keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
log.dirs=$node/data
auto.create.topics.enable=true
default.replication.factor=$replicas
min.insync.replicas=$in_sync
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=500
log.cleaner.backoff.ms=500
P
  # Job control gives the node a process group of its own: Ctrl-C ends CMD, not the nodes under it.
  cat >"$node/start" <<S
#!/usr/bin/env bash
set -m
exec </dev/null >>"$node/out.log" 2>&1
java -Xms128m -Xmx512m -XX:+UseSerialGC -Dlog4j2.configurationFile="$dir/log4j2.properties" \\
  -cp "$libs/*" kafka.Kafka "$node/server.properties" &
echo \$! >"$node/pid.new" && mv "$node/pid.new" "$node/pid"
S
  chmod +x "$node/start"
}

format_node() { # NODE
  java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$libs/*" \
    kafka.tools.StorageTool format -t "$cluster_id" -c "$dir/n$1/server.properties" \
    --initial-controllers "$(join "${voters[@]}")" \
    --add-scram "SCRAM-SHA-256=[name=$user,password=$password]" \
    --add-scram "SCRAM-SHA-512=[name=$user,password=$password]" >"$dir/n$1/format.log" 2>&1
}

lay_out() {
  local i
  plain_port=() sasl_port=() mtls_port=() controller_port=()
  plain=() sasl=() mtls=() controllers=() voters=()
  cluster_id=$(new_uuid)
  for ((i = 1; i <= n; i++)); do
    free_port; plain_port[i]=$port; plain+=("127.0.0.1:$port")
    free_port; sasl_port[i]=$port; sasl+=("127.0.0.1:$port")
    free_port; mtls_port[i]=$port; mtls+=("127.0.0.1:$port")
    free_port; controller_port[i]=$port; controllers+=("127.0.0.1:$port")
    voters+=("$i@127.0.0.1:$port:$(new_uuid)")
  done
  for ((i = 1; i <= n; i++)); do rm -rf "$dir/n$i"; write_node "$i"; done
}

# Runs the node's own process only: the id in pid may be another process by now, if a test ended the node.
node_runs() { # NODE: sets pid
  pid=$(cat "$dir/n$1/pid" 2>/dev/null) || return 1
  local args
  if [ -d /proc/self ]; then
    args=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  else
    args=$(ps -o args= -p "$pid") || return 1
  fi
  case "$args" in *"$dir/n$1/server.properties"*) return 0 ;; *) return 1 ;; esac
}

print_logs() { # LINES NAME...
  local lines=$1 name log
  shift
  for name in "$@"; do
    for log in "$dir"/n*/"$name"; do
      [ ! -s "$log" ] || { echo "---- $log, its last lines:"; tail -n "$lines" "$log"; } >&2
    done
  done
}

# Status 0: all nodes are up. 1: a node ended or the time is over. 3: a port was taken meanwhile.
up() {
  local i formats=() deadline
  lay_out
  for ((i = 1; i <= n; i++)); do format_node "$i" & formats+=($!); done
  for i in "${formats[@]}"; do wait "$i" || return 1; done
  for ((i = 1; i <= n; i++)); do "$dir/n$i/start"; done
  deadline=$((SECONDS + start_timeout))
  for ((i = 1; i <= n; i++)); do
    until grep -q 'Kafka Server started' "$dir/n$i/out.log" 2>/dev/null; do
      if ! node_runs "$i" || [ "$SECONDS" -ge "$deadline" ]; then
        ! grep -qs 'Address already in use' "$dir"/n*/out.log || return 3
        return 1
      fi
      sleep 0.1
    done
  done
}

# Nothing here is worth a clean shutdown, and a node that a test has stopped (SIGSTOP) would not do one.
end_nodes() {
  local i
  for ((i = 1; i <= n; i++)); do
    if node_runs "$i"; then kill -KILL "$pid" 2>/dev/null || true; fi
  done
}

down() {
  end_nodes
  if [ -n "${OTTLA_KAFKA_KEEP:-}" ]; then say "kept $dir"; else rm -rf "$dir"; fi
}

# ---- main -------------------------------------------------------------------------------------------------

n=1
while getopts n:h option; do
  case "$option" in
    n) n=$OPTARG ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
case "$n" in 1 | 3) ;; *) say "-n is 1 or 3, not '$n'"; exit 2 ;; esac

check_tools
fetch_jars
dir=$(mktemp -d "${TMPDIR:-/tmp}/ottla-kafka.XXXXXX")
command_pid=
trap down EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

make_certificates
write_log_config
for attempt in 1 2 3; do
  status=0
  up || status=$?
  [ "$status" = 3 ] && [ "$attempt" -lt 3 ] || break
  say "a port was taken by another process, trying others"
  end_nodes
done
if [ "$status" != 0 ]; then
  print_logs 60 format.log out.log
  say "the nodes did not start within $start_timeout s (their logs are above)"
  exit 1
fi
say "$n node(s) up in $SECONDS s: $(join "${plain[@]}")"

OTTLA_TEST_BROKERS=$(join "${plain[@]}")
OTTLA_TEST_SASL_BROKERS=$(join "${sasl[@]}")
OTTLA_TEST_MTLS_BROKERS=$(join "${mtls[@]}")
export OTTLA_TEST_BROKERS OTTLA_TEST_SASL_BROKERS OTTLA_TEST_MTLS_BROKERS
export OTTLA_TEST_USER=$user OTTLA_TEST_PASSWORD=$password
export OTTLA_TEST_CA=$dir/ca.pem OTTLA_TEST_OTHER_CA=$dir/other-ca.pem
export OTTLA_TEST_CLIENT_CERT=$dir/client.pem OTTLA_TEST_CLIENT_KEY=$dir/client.key
export OTTLA_TEST_KAFKA_DIR=$dir OTTLA_TEST_KAFKA_LIBS=$libs

status=0
if [ -t 0 ]; then
  "$@" || status=$? # from a terminal Ctrl-C reaches CMD by itself, and CMD may be a shell
else
  trap 'kill -TERM -- "-$command_pid" 2>/dev/null; exit 130' INT
  trap 'kill -TERM -- "-$command_pid" 2>/dev/null; exit 143' TERM HUP
  set -m
  "$@" <&0 &
  command_pid=$!
  set +m
  wait "$command_pid" || status=$?
fi
[ "$status" = 0 ] || print_logs 20 out.log
exit "$status"
