"""OpenStack Swift on loopback, of Debian's python3-swift: `swift-servers.py rings|zone N|proxy|replicate N|places KEY... FOLDER`.

FOLDER holds ports.json, and gets rings, settings and a folder for each disk. Three zones have two disks each; the
account, container and object server of a zone are one process. Nothing outside FOLDER is read or written, and no
privilege is needed."""

import json
import os
import sys

FOLDER = os.path.abspath(sys.argv[-1])
PORTS = json.load(open(os.path.join(FOLDER, 'ports.json')))
DISKS = os.path.join(FOLDER, 'disks')
KINDS = ('account', 'container', 'object')
ACCOUNT = 'AUTH_films'

import swift.common.utils as utils  # noqa: E402

utils.SWIFT_CONF_FILE = os.path.join(FOLDER, 'swift.conf')


def write(name, text):
    with open(os.path.join(FOLDER, name), 'w') as file:
        file.write(text)


def rings():
    from swift.common.ring import RingBuilder

    write('swift.conf', '[swift-hash]\nswift_hash_path_suffix = tests\n[storage-policy:0]\nname = films\ndefault = yes\n')
    os.makedirs(os.path.join(FOLDER, 'recon'))
    for kind in KINDS:
        builder = RingBuilder(6, 3, 0)
        for number, zone in enumerate(PORTS['zones']):
            for disk in (2 * number, 2 * number + 1):
                os.makedirs(os.path.join(DISKS, f'd{disk}'), exist_ok=True)
                port = zone[kind]
                builder.add_dev({
                    'region': 1, 'zone': number + 1, 'weight': 1.0, 'device': f'd{disk}', 'meta': '',
                    'ip': '127.0.0.1', 'port': port, 'replication_ip': '127.0.0.1', 'replication_port': port,
                })
        builder.rebalance(seed=1)
        builder.get_ring().save(os.path.join(FOLDER, f'{kind}.ring.gz'))
    common = f"""[DEFAULT]
swift_dir = {FOLDER}
devices = {DISKS}
mount_check = false
bind_ip = 127.0.0.1
workers = 0
disable_fallocate = true
log_address = {FOLDER}/none
log_udp_host =
"""
    for number, zone in enumerate(PORTS['zones']):
        for kind in KINDS:
            write(f'{kind}-{number}.conf', f"""{common}bind_port = {zone[kind]}
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[{kind}-replicator]
recon_cache_path = {FOLDER}/recon
rsync_module = rsync://127.0.0.1:{PORTS['rsync']}/disks
[object-updater]
recon_cache_path = {FOLDER}/recon
""")
    write('proxy.conf', f"""{common}bind_port = {PORTS['proxy']}
[pipeline:main]
pipeline = catch_errors gatekeeper cache listing_formats s3api tempauth bulk slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 1
node_timeout = 20
error_suppression_interval = 5
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_upload_part_num = 10000
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
# Who signs in needs one by its settings; nobody is there, and it does without.
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:tempauth]
use = egg:swift#tempauth
user_films_maker = {PORTS['secret']} .admin
""" + ''.join(f'[filter:{name}]\nuse = egg:swift#{name}\n'
              for name in ('catch_errors', 'gatekeeper', 'listing_formats', 'bulk', 'dlo')))
    # The user of the daemon is that of this process, which a daemon of root has to be told.
    user = f'uid = {os.getuid()}\ngid = {os.getgid()}\n' if os.getuid() == 0 else ''
    write('rsyncd.conf', f'use chroot = no\n{user}[disks]\npath = {DISKS}\nread only = no\nmax connections = 0\n')


def conf(section, name):
    """Settings of a server or daemon, as Swift reads them, and its log."""
    settings = utils.readconf(os.path.join(FOLDER, name), section)
    return settings, utils.get_logger(settings, section, log_to_console=True, log_route=section)


def serve(names):
    """Servers by the names of their sections and files, all in this process."""
    import eventlet
    from swift.common import storage_policy, wsgi

    utils.validate_hash_conf()
    storage_policy.reload_storage_policies()
    utils.eventlet_monkey_patch()
    # Each server would take an event loop of its own, and the others would be forgotten.
    eventlet.hubs.use_hub(utils.get_hub())
    use_hub = eventlet.hubs.use_hub
    eventlet.hubs.use_hub = lambda hub=None: None if hasattr(eventlet.hubs._threadlocal, 'hub') else use_hub(hub)
    threads = []
    for section, name in names:
        settings, logger = conf(f'app:{section}', name)
        settings['__file__'] = os.path.join(FOLDER, name)
        socket = eventlet.listen(('127.0.0.1', int(settings['bind_port'])), backlog=512)
        threads.append(eventlet.spawn(wsgi.run_server, settings, logger, socket))
    for thread in threads:
        thread.wait()


def replicate(number):
    """One pass of a zone: what belongs elsewhere, or is missing there, is brought there."""
    from swift.account.replicator import AccountReplicator
    from swift.common import storage_policy
    from swift.container.replicator import ContainerReplicator
    from swift.obj.replicator import ObjectReplicator

    utils.validate_hash_conf()
    storage_policy.reload_storage_policies()
    utils.eventlet_monkey_patch()
    for kind, daemon in (('account', AccountReplicator), ('container', ContainerReplicator), ('object', ObjectReplicator)):
        settings, logger = conf(f'{kind}-replicator', f'{kind}-{number}.conf')
        daemon(settings, logger).run_once()


def places(names):
    """Where the ring wants each object BUCKET/KEY, and whether it is there."""
    from swift.common.ring import Ring

    utils.validate_hash_conf()
    ring = Ring(FOLDER, ring_name='object')
    found = []
    for name in names:
        bucket, key = name.split('/', 1)
        part, nodes = ring.get_nodes(ACCOUNT, bucket, key)
        folder = utils.storage_directory('objects', part, utils.hash_path(ACCOUNT, bucket, key))
        for node in nodes:
            path = os.path.join(DISKS, node['device'], folder)
            held = os.path.isdir(path) and any(file.endswith('.data') for file in os.listdir(path))
            found.append({'name': name, 'zone': node['zone'] - 1, 'disk': node['device'], 'held': held})
    print(json.dumps(found))


task, args = sys.argv[1], sys.argv[2:-1]
if task == 'rings':
    rings()
elif task == 'zone':
    serve([(f'{kind}-server', f'{kind}-{int(args[0])}.conf') for kind in KINDS])
elif task == 'proxy':
    serve([('proxy-server', 'proxy.conf')])
elif task == 'replicate':
    replicate(int(args[0]))
elif task == 'places':
    places(args)
else:
    sys.exit(f'expected a task, found {task}')
