// SPDX-License-Identifier: Apache-2.0

// Package server runs a real Valkey or Redis server behind a Valkey service of the simulator.
package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pkg/errors"
	"github.com/redis/go-redis/v9"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// Host is where servers listen, and the name in their certificates.
const Host = "localhost"

const (
	// operator is the user that sets up the others. No service user has its name.
	operator = "aivensim-operator"

	startTimeout = 2 * time.Minute
	stopTimeout  = time.Minute
	interval     = 10 * time.Millisecond

	// CommandTimeout is how long a command may take, and a connection to come about. No machine
	// is that busy.
	CommandTimeout = time.Minute

	// attempts to find a port that nobody else takes before the server does.
	attempts = 5
)

// ErrNoProgram is when no program is found that could be the server.
var ErrNoProgram = errors.New("neither valkey-server nor redis-server is on PATH (Debian: apt-get install redis-server)")

// disabled are commands that Aiven lets nobody use, whatever a user's access control says.
// Aiven: "Restricted commands in Aiven for Valkey".
var disabled = []string{
	"acl", "bgrewriteaof", "bgsave", "cluster", "command", "config", "debug", "failover", "lastsave", "migrate",
	"monitor", "replicaof", "save", "shutdown", "slaveof",
}

// Program returns the path of the server's program, or ErrNoProgram.
func Program() (string, error) {
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoProgram
}

// A Server is a running one. It takes TLS connections only, with a certificate of a project's CA, and
// knows the users that it is told about as the Backend of a service.
type Server struct {
	port   int
	dir    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process is gone
	output bytes.Buffer  // to be read when done is closed
	client *redis.Client
	stop   func() error

	mu     sync.Mutex
	failed error
}

var _ aivensim.Backend = &Server{}

// Start starts a server with certificates of a project of the simulator. It ends with Stop, or with the context.
func Start(ctx context.Context, sim *aivensim.Server, project string) (*Server, error) {
	program, err := Program()
	if err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		s, err := start(ctx, program, sim, project)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = s.stop() })
			return s, nil
		}
		if n == attempts || !strings.Contains(err.Error(), "Address already in use") {
			return nil, errors.Wrapf(err, "cannot start %s", program)
		}
	}
}

func start(ctx context.Context, program string, sim *aivensim.Server, project string) (*Server, error) {
	password := rand.Text()
	s := &Server{done: make(chan struct{})}
	var err error
	if s.port, err = freePort(ctx); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "valkey-"); err != nil {
		return nil, errors.Wrap(err, "cannot make a folder")
	}
	s.stop = sync.OnceValue(s.end)
	config, err := s.configure(sim, project, password)
	if err != nil {
		_ = os.RemoveAll(s.dir)
		return nil, err
	}
	// Its life is that of the Server. An interrupt typed at the terminal does not reach it.
	s.cmd = exec.Command(program, "-") //nolint:noctx // See above.
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = strings.NewReader(config), &s.output, &s.output
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		_ = os.RemoveAll(s.dir)
		return nil, errors.Wrap(err, "cannot start the process")
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait()
	}()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(sim.ProjectCA(project)))
	s.client = redis.NewClient(&redis.Options{
		Addr: s.address(), Username: operator, Password: password,
		TLSConfig:   &tls.Config{RootCAs: roots, ServerName: Host, MinVersion: tls.VersionTLS12},
		DialTimeout: CommandTimeout, ReadTimeout: CommandTimeout,
	})
	if err := s.answers(ctx); err != nil {
		_ = s.stop()
		return nil, errors.Errorf("%v: %s", err, strings.ReplaceAll(s.output.String(), password, "[REDACTED]"))
	}
	return s, nil
}

// freePort returns a port that nobody listens on now.
func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(Host, "0"))
	if err != nil {
		return 0, errors.Wrap(err, "cannot find a free port")
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, errors.Wrap(err, "cannot find a free port")
	}
	return strconv.Atoi(port) //nolint:wrapcheck // It is a number.
}

// configure writes the certificate and returns the configuration, which has the operator's password in it.
func (s *Server) configure(sim *aivensim.Server, project, password string) (string, error) {
	cert, key := sim.ServerCertificate(project, Host, "127.0.0.1", "::1")
	for name, content := range map[string]string{"cert.pem": cert, "key.pem": key, "ca.pem": sim.ProjectCA(project)} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			return "", errors.Wrap(err, "cannot write certificates")
		}
	}
	return strings.Join([]string{
		"port 0",
		fmt.Sprintf("tls-port %d", s.port),
		"bind 127.0.0.1 -::1",
		"tls-auth-clients no",
		fmt.Sprintf("tls-cert-file %q", filepath.Join(s.dir, "cert.pem")),
		fmt.Sprintf("tls-key-file %q", filepath.Join(s.dir, "key.pem")),
		fmt.Sprintf("tls-ca-cert-file %q", filepath.Join(s.dir, "ca.pem")),
		fmt.Sprintf("dir %q", s.dir),
		`save ""`,
		"appendonly no",
		"user default reset",
		fmt.Sprintf("user %q reset on >%s ~* &* +@all", operator, password),
		"",
	}, "\n"), nil
}

// answers waits until the server does.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := s.client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return errors.Wrap(err, "it does not answer")
		case <-tick.C:
		}
	}
}

func (s *Server) address() string { return net.JoinHostPort(Host, strconv.Itoa(s.port)) }

// Components are where the service is that the server stands behind.
func (s *Server) Components() []aivensim.Component {
	ssl := true
	return []aivensim.Component{{Component: "valkey", Host: Host, Port: s.port, SSL: &ssl}}
}

// Client is a client with all rights.
func (s *Server) Client() *redis.Client { return s.client }

// Users returns the names of the users, sorted.
func (s *Server) Users(ctx context.Context) ([]string, error) {
	users, err := s.client.ACLUsers(ctx).Result()
	if err != nil {
		return nil, errors.Wrap(err, "cannot list users")
	}
	users = slices.DeleteFunc(users, func(name string) bool { return name == operator })
	slices.Sort(users)
	return users, nil
}

// Err returns the first thing that went wrong with a user.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Stop ends the server, and removes what it wrote.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) end() error {
	defer func() { _ = os.RemoveAll(s.dir) }()
	_ = s.client.Close()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Wrap(err, "cannot end the server")
	}
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
		return nil
	case <-timeout.C:
	}
	_ = s.cmd.Process.Kill()
	<-s.done
	return errors.New("the server had to be killed")
}

// SetUser makes a user, or makes an existing one what it is now. It is one command, and so takes effect as a whole.
func (s *Server) SetUser(a aivensim.Account) {
	s.do(func(ctx context.Context) error {
		return errors.Wrapf(s.client.ACLSetUser(ctx, a.Username, rules(a)...).Err(), "cannot set user %s", a.Username)
	})
}

// DeleteUser removes a user. The server ends its connections.
func (s *Server) DeleteUser(username string) {
	s.do(func(ctx context.Context) error {
		if username == "default" { // Which the server cannot be without.
			if err := s.client.ACLSetUser(ctx, username, "reset").Err(); err != nil {
				return errors.Wrap(err, "cannot reset the built-in user")
			}
			return errors.Wrap(s.client.ClientKillByFilter(ctx, "USER", username).Err(), "cannot end connections of the built-in user")
		}
		return errors.Wrapf(s.client.ACLDelUser(ctx, username).Err(), "cannot delete user %s", username)
	})
}

func (s *Server) do(f func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), CommandTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failed == nil {
			s.failed = err
		}
	}
}

// rules are an account in the words of ACL SETUSER. Without patterns of channels a user has all.
// Aiven: valkey_acl_channels_default.
func rules(a aivensim.Account) []string {
	out := []string{"reset"}
	if a.Password != "" {
		out = append(out, "on", ">"+a.Password)
	}
	for _, k := range a.AccessControl.Keys {
		out = append(out, "~"+k)
	}
	if len(a.AccessControl.Channels) == 0 {
		out = append(out, "allchannels")
	}
	for _, c := range a.AccessControl.Channels {
		out = append(out, "&"+c)
	}
	out = append(out, a.AccessControl.Categories...)
	out = append(out, a.AccessControl.Commands...)
	for _, c := range disabled {
		out = append(out, "-"+c)
	}
	return out
}
