// Package conformance holds scenarios over the public API: what Ottla claims, shown on a broker. They run on the broker in
// the test's process (kfake) by
//
//	go test ./test/conformance
//
// and unchanged on a real Apache Kafka by
//
//	bash test/with-kafka.sh go test -count=1 ./test/conformance
//	bash test/with-kafka.sh -n 3 go test -count=1 -run '^TestThreeNodes' ./test/conformance
//
// What only one of them can do is marked in the test (realOnly, fakeOnly, threeNodes), which is skipped elsewhere with the
// reason, and here. "both" is kfake and a real Kafka of any number of nodes.
//
//	scenario         test                                            where
//	1 churn          TestChurn                                       both
//	1 churn          TestChurnOf                                     both
//	1 churn          TestChurnAmongTroubles                          kfake
//	2 mixed group    TestMixedGroup                                  both, with Java members on a real Kafka only
//	2 mixed group    TestMixedGroupLeaveWhileTheCoordinatorMoves     kfake
//	2 mixed group    TestThreeNodesLeaveWhileTheCoordinatorIsKilled  3 nodes
//	2 mixed group    TestMixedGroupRange                             both
//	2 mixed group    TestMixedGroupEager                             both
//	2 mixed group    TestMixedGroupWithJava                          real
//	2 mixed group    TestStrategiesChangeWhileRunning                both
//	3 head           TestHeadComesAgain                              both
//	3 head           TestHeadSurvivesHooks                           both
//	3 head           TestHeadCarriesItsAttempts                      both
//	4 backoff        TestBackoffAgainstRevoke                        both
//	5 slow handler   TestSlowHandlerAtRevokeInTime                   both
//	5 slow handler   TestSlowHandlerAtRevokeTooLate                  both
//	5 slow handler   TestSlowHandlerAtRevokeIgnored                  both
//	5 slow handler   TestSlowHandlerAtTheEnd                         both
//	6 lost           TestLostBySIGSTOP                               both
//	7 drain          TestDrain                                       both
//	7 drain          TestDrainSecondSignal                           both
//	7 drain          TestDrainThirdSignal                            both
//	8 elsewhere      TestElsewhereStoreDecides                       both
//	8 elsewhere      TestElsewhereSeekTo                             both
//	8 elsewhere      TestElsewhereFence                              both
//	8 elsewhere      TestElsewhereSeekToWithoutStore                 both
//	8 elsewhere      TestElsewhereMarkerAtTheOffset                  both
//	8 elsewhere      TestElsewhereUnknownPartition                   both
//	9 embedding      TestEmbeddingPoisonPill                         both
//	9 embedding      TestEmbeddingPoisonPillInRebalance              both
//	9 embedding      TestEmbeddingEscalation                         both
//	9 embedding      TestEmbeddingRestart                            both
//	9 embedding      TestEmbeddingTwoConsumers                       both
//	9 embedding      TestEmbeddingStaleMessage                       both
//	10 auth          TestAuth                                        real
//	10 auth          TestAuthFaults                                  real
//	10 auth          TestAuthCredentialExpires                       real
//	11 coordinator   TestThreeNodesCoordinatorKilled                 3 nodes
//	11 coordinator   TestThreeNodesCoordinatorStopped                3 nodes
//	11 coordinator   TestThreeNodesCoordinatorKilledInRejoin         3 nodes
//	11 coordinator   TestThreeNodesCoordinatorStoppedInRejoin        3 nodes
//	12 source        TestSourceLeaderMoves                           kfake
//	12 source        TestThreeNodesLeaderMoves                       3 nodes
//	12 source        TestThreeNodesLeaderKilled                      3 nodes
//	12 source        TestSourceMemoryBound                           both
//	12 source        TestSourceCorruptBatch                          both
//	13 one slow      TestOneSlow                                     both
//	13 one slow      TestOneSlowMemory                               both, 1 GiB on a real Kafka, 192 MiB on kfake
//	14 commits       TestCommitIsRefused                             kfake
//	14 commits       TestCommitConnectionLost                        both
//	14 commits       TestCommitCoordinatorMoved                      kfake
//	14 commits       TestCommitMetadataTooLarge                      both, restarts the node of a real Kafka of one
//	14 commits       TestCommitIsSoonAcknowledged                    both
//	15 holes         TestOffsetsWithHoles                            both
//	15 holes         TestOffsetsBehindAnOpenTransaction              both
//	15 holes         TestReadCommittedAsAnotherClient                both
//	15 holes         TestOffsetsInACompactedLog                      both
//	15 holes         TestOffsetsOutOfRange                           both
//	15 holes         TestOffsetsBeyondTheEnd                         both
//	15 holes         TestOffsetsOvertakenByRetention                 both
//	16 topics        TestInputTopicThatDoesNotExist                  both
//	16 topics        TestTopicsNotThereYet                           both
//	16 topics        TestTopicsPartitionsAdded                       both
//	16 topics        TestTopicsMadeAgain                             both
//	16 topics        TestTopicsDeletedForGood                        both
//	17 parked long   TestParkedForLongShedsItsTail                   both
//	17 parked long   TestParkedForLongOvertakenByRetention           both
//	17 parked long   TestParkedForLongNextOwner                      both
//	18 rolling       TestThreeNodesRollingRestart                    3 nodes
//	19 cut           TestCut                                         both
//	19 cut           TestCutStore                                    both
//	20 odd records   TestOddRecords                                  both
//	20 odd records   TestOddRecordsAreCounted                        both
//	bad input        TestBadInputOneTopicOfTwo                       both
//	bad input        TestBadInputSessionTimeoutTooLong               both
//	bad input        TestBadInputNobodyListens                       both
//	bad input        TestInputSessionTimeoutRefused                  both
//	dead letters     TestDeadLetters                                 both
//	dead letters     TestDeadLetterTopicMissing                      both
//	dead letters     TestDeadLetterTopicForbidden                    both
//	dead letters     TestReplay                                      both
//	dead letters     TestDeadLetterRefused                           both
//	dead letters     TestDeadLetterFaults                            both
//	dead letters     TestDeadLetterConnectionLost                    both
//	directives       TestDirectives                                  both
//	directives       TestDirectiveBreak                              both
//	budgets          TestBudgets                                     both
//	budgets          TestBudgetsGoWithTheRecord                      both
//	escalation       TestEscalate                                    both
//	escalation       TestEscalateEmbedded                            both
//	offsets          TestOffsetsLatest                               both
//	park             TestParked                                      both
//	per topic        TestPerTopic                                    both
//	operator         TestOperatorTooLate                             both
//	operator         TestOperatorParkThroughRebalances               both
//	operator         TestOperatorParksWhatHangs                      both
//	operator         TestOperatorPauseThroughRebalances              both
//	asynchronous     TestAsynchronousCompletionAtRevocation          both
//	timeout          TestHandlerTimeout                              both
//	stuck            TestStuckHandler                                both
//	breaker          TestBreaker                                     both
//	rate             TestRateLimit                                   both
//	rate             TestRateLimitAgainstRevoke                      both
//	static member    TestStaticMember                                both
//	static member    TestStaticLeader                                both
//	static member    TestStaticMemberTooLate                         both
//	static member    TestStaticMemberTakenOver                       both
//	static member    TestStaticMemberDiesInAHandover                 both
//
// Beside them, scenario 12's refill trap (a bounded busy partition beside idle ones runs at least 20 times the rate of the
// same run with the poll not shortened) is TestRefillTrap in consumer/internal/source/memory_test.go: not to shorten the poll
// is no setting of the public API. Bad input that needs no broker is in consumer/validate_test.go. What source, member and
// committer do on a real Kafka by themselves is in their own packages: TestRealKafkaReadsAsKgo, TestRealKafkaCompacts,
// TestAStaticLeaderOfARealKafkaRestarts, TestFromOwnerToOwner, TestRebalanceUnderWay, TestChoicesOverTheWire.
package conformance
