//! There is no network: neither sockets nor names, whatever a component imports.

use super::*;

/// The errors of all of them.
const ERRORS: &str = r#"(type $e (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout"
          "concurrency-conflict" "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use"
          "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
          "temporary-resolver-failure" "permanent-resolver-failure"))"#;

/// Asks for a socket; its `run` fails if the answer is an error: the low byte of the result is its discriminant.
const SOCKET: &str = r#"(component
      (import "wasi:sockets/network@0.2.0" (instance $network
        ERRORS
        (export "error-code" (type (eq $e)))
        (type $f (enum "ipv4" "ipv6"))
        (export "ip-address-family" (type (eq $f)))))
      (alias export $network "error-code" (type $error))
      (alias export $network "ip-address-family" (type $family))
      (import "wasi:sockets/KIND@0.2.0" (instance $KIND (export "KIND-socket" (type (sub resource)))))
      (alias export $KIND "KIND-socket" (type $socket))
      (import "wasi:sockets/KIND-create-socket@0.2.0" (instance $create
        (alias outer 1 $error (type $e)) (alias outer 1 $family (type $f)) (alias outer 1 $socket (type $s))
        (export "error-code" (type $e2 (eq $e))) (export "ip-address-family" (type $f2 (eq $f))) (export "KIND-socket" (type $s2 (eq $s)))
        (export "create-KIND-socket" (func (param "address-family" $f2) (result (result (own $s2) (error $e2)))))))
      (core module $libc (memory (export "memory") 1))
      (core instance $libc (instantiate $libc))
      (core func $make (canon lower (func $create "create-KIND-socket") (memory (core memory $libc "memory"))))
      (core module $main (import "host" "make" (func $make (param i32 i32))) (import "libc" "memory" (memory 1))
        (func (export "run") (result i32) (call $make (i32.const 0) (i32.const 16)) (i32.load8_u (i32.const 16))))
      (core instance $main (instantiate $main (with "libc" (instance $libc)) (with "host" (instance (export "make" (func $make))))))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exported (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

/// Asks for the addresses of a name that needs no server, and fails as [`SOCKET`] does.
const LOOKUP: &str = r#"(component
      (import "wasi:sockets/network@0.2.0" (instance $network
        ERRORS
        (export "error-code" (type (eq $e)))
        (export "network" (type (sub resource)))))
      (alias export $network "error-code" (type $error))
      (alias export $network "network" (type $net))
      (import "wasi:sockets/instance-network@0.2.0" (instance $ours
        (alias outer 1 $net (type $n))
        (export "network" (type $n2 (eq $n)))
        (export "instance-network" (func (result (own $n2))))))
      (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
        (alias outer 1 $error (type $e)) (alias outer 1 $net (type $n))
        (export "error-code" (type $e2 (eq $e))) (export "network" (type $n2 (eq $n)))
        (export "resolve-address-stream" (type $s (sub resource)))
        (export "resolve-addresses"
          (func (param "network" (borrow $n2)) (param "name" string) (result (result (own $s) (error $e2)))))))
      (core module $libc (memory (export "memory") 1) (data (i32.const 64) "127.0.0.1"))
      (core instance $libc (instantiate $libc))
      (core func $ours (canon lower (func $ours "instance-network")))
      (core func $resolve (canon lower (func $lookup "resolve-addresses") (memory (core memory $libc "memory"))))
      (core module $main (import "host" "ours" (func $ours (result i32))) (import "host" "resolve" (func $resolve (param i32 i32 i32 i32)))
        (import "libc" "memory" (memory 1))
        (func (export "run") (result i32)
          (call $resolve (call $ours) (i32.const 64) (i32.const 9) (i32.const 16)) (i32.load8_u (i32.const 16))))
      (core instance $main (instantiate $main (with "libc" (instance $libc))
        (with "host" (instance (export "ours" (func $ours)) (export "resolve" (func $resolve))))))
      (func $run (result (result)) (canon lift (core func $main "run")))
      (instance $exported (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $exported)))"#;

#[test]
fn net_refuses_sockets_and_names() {
    for (what, wat) in [("tcp", SOCKET.replace("KIND", "tcp")), ("udp", SOCKET.replace("KIND", "udp")), ("names", LOOKUP.to_owned())] {
        let execution = run(&job(&wat.replace("ERRORS", ERRORS)));
        assert_eq!(execution.outcome, Outcome::Failed { cause: Cause::Exit { code: 1 } }, "{what}: there is a network");
    }
}
