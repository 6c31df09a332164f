"""The table of Airflow's names. `NAMES` are current paths, `MOVED` are old ones that Airflow 3 still has; they warn.

A line is: module, where its objects live, names. `new=old` is a name that is called `old` there, `name=.` is the home
module itself, `*` is every name of the home. Paths that Airflow 3 dropped are in `retired.txt`.
"""

NAMES = """\
airflow gnomon.sdk DAG Asset XComArg
airflow airflow.version version=.
airflow airflow.settings settings=.
airflow airflow.configuration configuration=.
airflow.configuration gnomon.sdk.configuration conf
airflow.configuration gnomon.sdk.exceptions AirflowConfigException
airflow.exceptions gnomon.sdk.exceptions *
airflow.version airflow version=__version__
airflow.settings gnomon.sdk.unavailable Session
airflow.settings gnomon.sdk.timezone TIMEZONE

# the task SDK
airflow.sdk gnomon.sdk *
airflow.sdk.state gnomon.sdk.state AssetScope BaseStoreBackend TaskScope
airflow.sdk.exceptions gnomon.sdk.exceptions *
airflow.sdk.timezone gnomon.sdk.timezone *
airflow.sdk.configuration gnomon.sdk.configuration conf
airflow.sdk gnomon.sdk.object_storage ObjectStoragePath
airflow.sdk.io gnomon.sdk.object_storage ObjectStoragePath
airflow.sdk.io gnomon.sdk.filesystems attach get_fs has_fs Properties
airflow.sdk.io.fs gnomon.sdk.filesystems get_fs has_fs
airflow.sdk.io.path gnomon.sdk.object_storage ObjectStoragePath
airflow.sdk.io.stat gnomon.sdk.object_storage stat_result
airflow.sdk.io.store gnomon.sdk.filesystems ObjectStore attach
airflow.sdk.io.typedef gnomon.sdk.filesystems Properties
airflow.sdk.lineage gnomon.sdk.lineage *
airflow.sdk.log gnomon.sdk.log mask_secret redact
airflow.sdk.module_loading gnomon.sdk.legacy import_string qualname is_valid_dotpath iter_namespace
airflow.sdk.serde gnomon.sdk.runtime.values serialize=to_plain deserialize=from_plain
airflow.sdk.types gnomon.sdk.runtime.task_instance RuntimeTaskInstanceProtocol=RuntimeTaskInstance TaskInstance=RuntimeTaskInstance TaskInstanceKey
airflow.sdk.types gnomon.sdk.abstract_operator Operator=AbstractOperator
airflow.sdk.types gnomon.sdk.runtime.context Context
airflow.sdk.types logging Logger
airflow.sdk.yaml yaml *
airflow.sdk.bases.branch gnomon.sdk.branch *
airflow.sdk.bases.decorator gnomon.sdk.taskflow *
airflow.sdk.bases.decorator gnomon.sdk.calls KeywordParameters determine_kwargs is_async_callable unwrap_callable unwrap_partial
airflow.sdk.bases.decorator gnomon.sdk.mapping DecoratedMappedOperator
airflow.sdk.bases.hook gnomon.sdk.hook BaseHook
airflow.sdk.bases.notifier gnomon.sdk.notifier BaseNotifier
airflow.sdk.bases.operator gnomon.sdk.operator BaseOperator
airflow.sdk.bases.operator gnomon.sdk.operator_meta BaseOperatorMeta=OperatorMeta
airflow.sdk.bases.operator gnomon.sdk.async_operator BaseAsyncOperator
airflow.sdk.bases.operator gnomon.sdk.edges chain chain_linear cross_downstream
airflow.sdk.bases.operator gnomon.sdk.operator_arguments db_safe_priority DB_SAFE_MINIMUM=MINIMUM_PRIORITY_WEIGHT DB_SAFE_MAXIMUM=MAXIMUM_PRIORITY_WEIGHT MINIMUM_PRIORITY_WEIGHT MAXIMUM_PRIORITY_WEIGHT
airflow.sdk.bases.operatorlink gnomon.sdk.operator_link BaseOperatorLink
airflow.sdk.bases.resumablejobmixin gnomon.sdk.resumable ResumableJobMixin
airflow.sdk.bases.secrets_backend gnomon.sdk.secrets BaseSecretsBackend
airflow.sdk.bases.sensor gnomon.sdk.sensor *
airflow.sdk.bases.skipmixin gnomon.sdk.skip *
airflow.sdk.bases.timetable gnomon.sdk.timetable BaseTimetable
airflow.sdk.bases.xcom gnomon.sdk.runtime.xcom BaseXCom
airflow.sdk.definitions.asset gnomon.sdk.assets *
airflow.sdk.definitions.asset.decorators gnomon.sdk.asset_decorator asset AssetDefinition MultiAssetDefinition
airflow.sdk.definitions.asset.metadata gnomon.sdk.assets Metadata
airflow.triggers.callback gnomon.triggerer.callback_trigger CallbackTrigger
airflow.sdk.definitions.callback gnomon.sdk.callbacks *
airflow.sdk.definitions.connection gnomon.sdk.connection Connection
airflow.sdk.definitions.context gnomon.sdk.runtime.context Context context_merge KNOWN_CONTEXT_KEYS
airflow.sdk.definitions.context gnomon.sdk.runtime.current get_current_context get_parsing_context AirflowParsingContext
airflow.sdk.definitions.dag gnomon.sdk DAG dag
airflow.sdk.definitions.deadline gnomon.sdk.deadline *
airflow.sdk.definitions.decorators gnomon.sdk.task_decorators TaskDecoratorCollection
airflow.sdk.definitions.decorators gnomon.sdk dag result setup task task_group teardown
airflow.sdk.definitions.edges gnomon.sdk.edges EdgeModifier Label
airflow.sdk.definitions.mappedoperator gnomon.sdk.mapping MappedOperator OperatorPartial
airflow.sdk.definitions.operator_resources gnomon.sdk.operator_resources *
airflow.sdk.definitions.param gnomon.sdk.params *
airflow.sdk.definitions.retry_policy gnomon.sdk.retry_policy *
airflow.sdk.definitions.taskgroup gnomon.sdk.task_group TaskGroup MappedTaskGroup
airflow.sdk.definitions.template gnomon.sdk.templating literal LiteralValue
airflow.sdk.definitions.timetables.assets gnomon.sdk.timetables AssetTriggeredTimetable AssetOrTimeSchedule PartitionedAssetTimetable PartitionedAtRuntime
airflow.sdk.definitions.timetables.events gnomon.sdk.timetables EventsTimetable
airflow.sdk.definitions.timetables.interval gnomon.sdk.timetables CronDataIntervalTimetable DeltaDataIntervalTimetable
airflow.sdk.definitions.timetables.simple gnomon.sdk.timetables NullTimetable OnceTimetable ContinuousTimetable
airflow.sdk.definitions.timetables.trigger gnomon.sdk.timetables CronPartitionTimetable CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable
airflow.sdk.definitions.variable gnomon.sdk.variable Variable
airflow.sdk.definitions.xcom_arg gnomon.sdk.xcomarg *
airflow.sdk.definitions._internal.abstractoperator gnomon.sdk.abstract_operator AbstractOperator
airflow.sdk.definitions._internal.abstractoperator gnomon.sdk.exceptions NotMapped
airflow.sdk.definitions._internal.contextmanager gnomon.sdk.authoring DagContext TaskGroupContext
airflow.sdk.definitions._internal.expandinput gnomon.sdk.expand_input *
airflow.sdk.definitions._internal.mixins gnomon.sdk.node DependencyMixin
airflow.sdk.definitions._internal.mixins gnomon.sdk.xcomarg ResolveMixin
airflow.sdk.definitions._internal.node gnomon.sdk.node DAGNode validate_key
airflow.sdk.definitions._internal.setup_teardown gnomon.sdk.setup_teardown *
airflow.sdk.definitions._internal.templater gnomon.sdk.templating *
airflow.sdk.definitions._internal.types gnomon.sdk.types *
airflow.sdk.execution_time.context gnomon.sdk.runtime.exported context_to_airflow_vars
airflow.sdk.execution_time.context gnomon.sdk.runtime.context context_get_outlet_events
airflow.sdk.execution_time.context gnomon.sdk NEVER_EXPIRE
airflow.sdk.execution_time.context gnomon.sdk.runtime.state_store TaskStateStoreAccessor=TaskStateStore AssetStateStoreAccessor=AssetStateStore AssetStateStoreAccessors=AssetStateStores
airflow.sdk.execution_time.hitl gnomon.sdk.runtime.human_input HITLUser get_hitl_detail_content_detail update_hitl_detail_response upsert_hitl_detail
airflow.sdk.execution_time.lazy_sequence gnomon.sdk.runtime.xcom LazyXComSequence
airflow.sdk.execution_time.macros gnomon.sdk.macros *
airflow.sdk.execution_time.secrets_masker gnomon.sdk.log mask_secret redact
airflow.sdk.execution_time.task_runner gnomon.sdk.runtime.task_instance RuntimeTaskInstance
airflow.sdk.execution_time.timeout gnomon.sdk.legacy timeout
airflow.sdk.execution_time.xcom gnomon.sdk.runtime.xcom XCom BaseXCom

# what providers and older DAG files import from the core
airflow.assets gnomon.sdk.assets *
airflow.hooks gnomon.sdk.hook BaseHook
airflow.macros gnomon.sdk.macros *
airflow.models gnomon.sdk DAG BaseOperator BaseOperatorLink BaseXCom Connection Param SkipMixin Variable XComArg
airflow.models gnomon.sdk.mapping MappedOperator
airflow.models gnomon.sdk.abstract_operator Operator=AbstractOperator
airflow.models gnomon.sdk.runtime.xcom XCom
airflow.models gnomon.sdk.runtime.stored TaskInstance
airflow.models gnomon.sdk.runtime.dag_run DagRun
airflow.models gnomon.parsing.dagbag DagBag
airflow.models gnomon.sdk.unavailable Base DagModel DagTag DagWarning Log Pool RenderedTaskInstanceFields TaskInstanceHistory TaskReschedule Trigger
airflow.models.asset gnomon.sdk.unavailable AssetModel AssetEvent AssetAliasModel
airflow.models.connection gnomon.sdk.connection Connection
airflow.models.dag gnomon.sdk.authoring DagContext
airflow.models.dag gnomon.sdk.unavailable DagModel DagTag
airflow.models.dagbag gnomon.parsing.dagbag DagBag FileLoadStat
airflow.dag_processing.dagbag gnomon.parsing.dagbag DagBag FileLoadStat
airflow.models.dagrun gnomon.sdk.runtime.dag_run DagRun
airflow.models.dagrun gnomon.model.states DagRunType
airflow.models.pool gnomon.sdk.unavailable Pool
airflow.models.renderedtifields gnomon.sdk.unavailable RenderedTaskInstanceFields
airflow.models.serialized_dag gnomon.sdk.unavailable SerializedDagModel
airflow.models.taskinstance gnomon.sdk.runtime.stored TaskInstance
airflow.models.taskinstance gnomon.sdk.runtime.task_instance TaskInstanceKey
airflow.models.taskinstancekey gnomon.sdk.runtime.task_instance TaskInstanceKey
airflow.models.taskmixin gnomon.sdk.node DAGNode DependencyMixin
airflow.models.taskreschedule gnomon.sdk.unavailable TaskReschedule
airflow.models.trigger gnomon.sdk.unavailable Trigger
airflow.models.variable gnomon.sdk.variable Variable
airflow.models.xcom gnomon.sdk.runtime.xcom XCom BaseXCom XCOM_RETURN_KEY
airflow.models.xcom_arg gnomon.sdk.xcomarg XComArg PlainXComArg MapXComArg ZipXComArg ConcatXComArg
airflow.secrets gnomon.sdk.secrets BaseSecretsBackend
airflow.secrets.base_secrets gnomon.sdk.secrets BaseSecretsBackend
airflow.secrets.environment_variables gnomon.sdk.secrets EnvironmentVariablesBackend
airflow.secrets.local_filesystem gnomon.sdk.secrets LocalFilesystemBackend load_variables load_connections_dict
airflow.task.priority_strategy gnomon.sdk.weight PriorityWeightStrategy validate_and_load_priority_weight_strategy
airflow.task.trigger_rule gnomon.model.states TriggerRule
airflow.task.weight_rule gnomon.model.states WeightRule
airflow.timetables gnomon.sdk.timetable Timetable
airflow.timetables.assets gnomon.sdk.timetables AssetOrTimeSchedule
airflow.timetables.base gnomon.sdk.timetable DagRunInfo DataInterval TimeRestriction Timetable
airflow.timetables.events gnomon.sdk.timetables EventsTimetable
airflow.timetables.interval gnomon.sdk.timetables CronDataIntervalTimetable DeltaDataIntervalTimetable
airflow.timetables.simple gnomon.sdk.timetables NullTimetable OnceTimetable ContinuousTimetable AssetTriggeredTimetable
airflow.timetables.trigger gnomon.sdk.timetables CronPartitionTimetable CronTriggerTimetable DeltaTriggerTimetable MultipleCronTriggerTimetable
airflow.triggers.base gnomon.sdk.trigger *
airflow.utils gnomon.sdk.timezone timezone=.
airflow.utils yaml yaml=.
airflow.utils.context gnomon.sdk.runtime.context Context KNOWN_CONTEXT_KEYS context_merge context_get_outlet_events
airflow.utils.deprecation_tools gnomon.sdk.legacy add_deprecated_classes
airflow.utils.deprecation_tools gnomon.sdk.exceptions DeprecatedImportWarning
airflow.utils.edgemodifier gnomon.sdk.edges EdgeModifier Label
airflow.utils.email gnomon.sdk.email send_email send_email_smtp build_mime_message send_mime_email get_email_address_list
airflow.utils.hashlib_wrapper gnomon.sdk.legacy md5
airflow.utils.helpers gnomon.sdk.legacy as_flattened_list at_most_one build_airflow_dagrun_url chunks convert_camel_to_snake exactly_one is_container merge_dicts partition prune_dict validate_key
airflow.utils.log.logging_mixin gnomon.sdk.log LoggingMixin ExternalLoggingMixin StreamLogWriter remove_escape_codes
airflow.utils.operator_helpers gnomon.sdk.calls KeywordParameters determine_kwargs
airflow.utils.platform gnomon.sdk.legacy getuser
airflow.utils.process_utils gnomon.sdk.legacy patch_environ
airflow.utils.session gnomon.sdk.unavailable NEW_SESSION create_session provide_session
airflow.utils.state gnomon.model.states TaskInstanceState DagRunState
airflow.utils.state gnomon.sdk.states State JobState TerminalTIState IntermediateTIState
airflow.utils.strings gnomon.sdk.legacy get_random_string to_boolean
airflow.utils.yaml yaml *
airflow.utils.types gnomon.sdk.types NOTSET ArgNotSet
airflow.utils.types gnomon.model.states DagRunType
airflow.utils.types gnomon.sdk.states DagRunTriggeredByType

# plugins, listeners, cluster policies, installed providers
airflow.plugins_manager gnomon.sdk.plugins *
airflow.sdk.plugins_manager gnomon.sdk.plugins *
airflow.listeners gnomon.sdk.listeners hookimpl
airflow.listeners.listener gnomon.sdk.listeners get_listener_manager ListenerManager
airflow.listeners.types gnomon.sdk.listener_specs AssetEvent
airflow.listeners.spec.asset gnomon.sdk.listener_specs on_asset_created on_asset_alias_created on_asset_changed on_asset_event_emitted
airflow.listeners.spec.dagrun gnomon.sdk.listener_specs on_dag_run_running on_dag_run_success on_dag_run_failed
airflow.listeners.spec.importerrors gnomon.sdk.listener_specs on_new_dag_import_error on_existing_dag_import_error
airflow.listeners.spec.lifecycle gnomon.sdk.listener_specs on_starting before_stopping
airflow.listeners.spec.taskinstance gnomon.sdk.listener_specs on_task_instance_running on_task_instance_success on_task_instance_failed on_task_instance_skipped
airflow.sdk.listener gnomon.sdk.listeners get_listener_manager ListenerManager
airflow.providers_manager gnomon.sdk.provider_registry *
airflow.sdk.providers_manager_runtime gnomon.sdk.provider_registry *
airflow.sdk.plugins_manager gnomon.sdk.provider_registry ProvidersManagerTaskRuntime
airflow.policies gnomon.sdk.policies hookimpl
airflow.policies gnomon.sdk.policy_specs task_policy dag_policy task_instance_mutation_hook pod_mutation_hook get_airflow_context_vars get_dagbag_import_timeout
airflow.settings gnomon.sdk.policies task_policy dag_policy task_instance_mutation_hook pod_mutation_hook get_airflow_context_vars get_dagbag_import_timeout get_policy_plugin_manager

# the standard provider
airflow.providers.standard airflow.providers.standard.version __version__
airflow.providers.standard.version gnomon.sdk.standard __version__
airflow.providers.standard.get_provider_info gnomon.sdk.standard.info get_provider_info
airflow.providers.standard.decorators.bash gnomon.sdk.standard.decorators.bash *
airflow.providers.standard.decorators.python gnomon.sdk.standard.decorators.python *
airflow.providers.standard.decorators.sensor gnomon.sdk.standard.decorators.sensor *
airflow.providers.standard.decorators.stub gnomon.sdk.standard.decorators.stub *
airflow.providers.standard.exceptions gnomon.sdk.standard.external_task AirflowExternalTaskSensorException DuplicateStateError ExternalDagDeletedError ExternalDagFailedError ExternalDagNotFoundError ExternalTaskFailedError ExternalTaskGroupFailedError ExternalTaskGroupNotFoundError ExternalTaskNotFoundError
airflow.providers.standard.exceptions gnomon.sdk.standard.hitl HITLRejectException HITLTimeoutError HITLTriggerEventError
airflow.providers.standard.hooks.filesystem gnomon.sdk.standard.hooks FSHook
airflow.providers.standard.hooks.package_index gnomon.sdk.standard.hooks PackageIndexHook
airflow.providers.standard.hooks.subprocess gnomon.sdk.standard.subprocesses SubprocessHook SubprocessResult working_directory
airflow.providers.standard.operators.bash gnomon.sdk.standard.bash BashOperator
airflow.providers.standard.operators.branch gnomon.sdk.branch BaseBranchOperator BranchMixIn
airflow.providers.standard.operators.datetime gnomon.sdk.standard.branches BranchDateTimeOperator target_times_as_dates
airflow.providers.standard.operators.empty gnomon.sdk.standard.empty EmptyOperator
airflow.providers.standard.operators.hitl gnomon.sdk.standard.hitl HITLOperator ApprovalOperator HITLBranchOperator HITLEntryOperator
airflow.providers.standard.operators.latest_only gnomon.sdk.standard.branches LatestOnlyOperator
airflow.providers.standard.operators.python gnomon.sdk.standard.python PythonOperator BranchPythonOperator ShortCircuitOperator
airflow.providers.standard.operators.python gnomon.sdk.standard.virtualenv PythonVirtualenvOperator ExternalPythonOperator BranchPythonVirtualenvOperator BranchExternalPythonOperator is_venv_installed
airflow.providers.standard.operators.python gnomon.sdk.standard.sent_script _SERIALIZERS=SERIALIZERS
airflow.providers.standard.operators.python gnomon.sdk.runtime.current get_current_context
airflow.providers.standard.operators.trigger_dagrun gnomon.sdk.standard.trigger_dagrun DagIsPaused TriggerDagRunOperator TriggerDagRunLink XCOM_LOGICAL_DATE_ISO XCOM_RUN_ID
airflow.providers.standard.operators.weekday gnomon.sdk.standard.branches BranchDayOfWeekOperator
airflow.providers.standard.sensors.bash gnomon.sdk.standard.sensors BashSensor
airflow.providers.standard.sensors.date_time gnomon.sdk.standard.time_sensors DateTimeSensor DateTimeSensorAsync
airflow.providers.standard.sensors.external_task gnomon.sdk.standard.external_task ExternalTaskSensor ExternalTaskMarker ExternalDagLink
airflow.providers.standard.sensors.filesystem gnomon.sdk.standard.sensors FileSensor
airflow.providers.standard.sensors.python gnomon.sdk.standard.sensors PythonSensor
airflow.providers.standard.sensors.time gnomon.sdk.standard.time_sensors TimeSensor TimeSensorAsync
airflow.providers.standard.sensors.time_delta gnomon.sdk.standard.time_sensors TimeDeltaSensor TimeDeltaSensorAsync WaitSensor
airflow.providers.standard.sensors.weekday gnomon.sdk.standard.time_sensors DayOfWeekSensor
airflow.providers.standard.triggers.external_task gnomon.sdk.standard.triggers.external_task WorkflowTrigger DagStateTrigger
airflow.providers.standard.triggers.hitl gnomon.sdk.standard.triggers.hitl HITLTrigger HITLTriggerEventFailurePayload HITLTriggerEventSuccessPayload
airflow.providers.standard.triggers.file gnomon.sdk.standard.triggers.file FileTrigger FileDeleteTrigger DirectoryFileDeleteTrigger
airflow.providers.standard.triggers.temporal gnomon.sdk.standard.triggers.temporal DateTimeTrigger TimeDeltaTrigger
airflow.providers.standard.utils.python_virtualenv gnomon.sdk.standard.sent_script write_python_script
airflow.providers.standard.utils.python_virtualenv gnomon.sdk.standard.venv prepare_virtualenv
airflow.providers.standard.utils.skipmixin gnomon.sdk.skip SkipMixin XCOM_SKIPMIXIN_FOLLOWED XCOM_SKIPMIXIN_KEY XCOM_SKIPMIXIN_SKIPPED
airflow.providers.standard.utils.weekday gnomon.sdk.standard.weekday WeekDay
"""

MOVED = """\
airflow airflow.sdk.definitions.asset Dataset
airflow airflow.exceptions AirflowException
airflow.decorators airflow.sdk dag result setup task task_group teardown
airflow.decorators.base airflow.sdk.bases.decorator *
airflow.decorators.base airflow.sdk.definitions.decorators TaskDecoratorCollection
airflow.hooks.base airflow.sdk BaseHook
airflow.hooks.filesystem airflow.providers.standard.hooks.filesystem FSHook
airflow.hooks.package_index airflow.providers.standard.hooks.package_index PackageIndexHook
airflow.hooks.subprocess airflow.providers.standard.hooks.subprocess SubprocessHook SubprocessResult
airflow.io airflow.sdk.io attach get_fs has_fs Properties
airflow.io.path airflow.sdk ObjectStoragePath
airflow.io.storage airflow.sdk.io attach
airflow.io.store airflow.sdk.io.store ObjectStore attach
airflow.io.typedef airflow.sdk.io.typedef Properties
airflow.io.utils.stat airflow.sdk.io.stat stat_result
airflow.lineage airflow.sdk.lineage hook=.
airflow.lineage.hook airflow.sdk.lineage *
airflow.models.abstractoperator airflow.sdk.definitions._internal.abstractoperator AbstractOperator NotMapped TaskStateChangeCallback DEFAULT_OWNER DEFAULT_QUEUE DEFAULT_TASK_EXECUTION_TIMEOUT
airflow.models.dag airflow.sdk DAG dag
airflow.models.baseoperator airflow.sdk.bases.operator BaseOperator chain chain_linear cross_downstream
airflow.models.baseoperatorlink airflow.sdk BaseOperatorLink
airflow.models.operator airflow.sdk BaseOperator
airflow.models.operator airflow.sdk.types Operator
airflow.models.param airflow.sdk Param ParamsDict
airflow.models.param airflow.sdk.definitions.param DagParam process_params
airflow.models.skipmixin airflow.sdk SkipMixin
airflow.notifications.basenotifier airflow.sdk BaseNotifier
airflow.operators.bash airflow.providers.standard.operators.bash BashOperator
airflow.operators.branch airflow.sdk BaseBranchOperator BranchMixIn
airflow.operators.datetime airflow.providers.standard.operators.datetime BranchDateTimeOperator
airflow.operators.email gnomon.sdk.standard.email EmailOperator
airflow.operators.empty airflow.providers.standard.operators.empty EmptyOperator
airflow.operators.generic_transfer airflow.providers.common.sql.operators.generic_transfer GenericTransfer
airflow.operators.latest_only airflow.providers.standard.operators.latest_only LatestOnlyOperator
airflow.operators.python airflow.providers.standard.operators.python *
airflow.operators.smooth airflow.providers.standard.operators.smooth SmoothOperator
airflow.operators.trigger_dagrun airflow.providers.standard.operators.trigger_dagrun TriggerDagRunOperator TriggerDagRunLink
airflow.operators.weekday airflow.providers.standard.operators.weekday BranchDayOfWeekOperator
airflow.secrets.cache airflow.sdk.execution_time.cache SecretCache
airflow.sensors.base airflow.sdk.bases.sensor BaseSensorOperator PokeReturnValue poke_mode_only
airflow.sensors.bash airflow.providers.standard.sensors.bash BashSensor
airflow.sensors.date_time airflow.providers.standard.sensors.date_time DateTimeSensor DateTimeSensorAsync
airflow.sensors.external_task airflow.providers.standard.sensors.external_task ExternalTaskSensor ExternalTaskMarker ExternalDagLink
airflow.sensors.filesystem airflow.providers.standard.sensors.filesystem FileSensor
airflow.sensors.python airflow.providers.standard.sensors.python PythonSensor
airflow.sensors.time_delta airflow.providers.standard.sensors.time_delta TimeDeltaSensor TimeDeltaSensorAsync WaitSensor
airflow.sensors.time_sensor airflow.providers.standard.sensors.time TimeSensor TimeSensorAsync
airflow.sensors.weekday airflow.providers.standard.sensors.weekday DayOfWeekSensor
airflow.serialization.serde airflow.sdk.serde *
airflow.triggers.external_task airflow.providers.standard.triggers.external_task WorkflowTrigger DagStateTrigger
airflow.triggers.file airflow.providers.standard.triggers.file FileTrigger
airflow.triggers.temporal airflow.providers.standard.triggers.temporal DateTimeTrigger TimeDeltaTrigger
airflow.utils.decorators airflow.sdk.definitions._internal.decorators remove_task_decorator fixup_decorator_warning_stack
airflow.utils.log.cloudwatch_task_handler airflow.providers.amazon.aws.log.cloudwatch_task_handler CloudwatchTaskHandler
airflow.utils.log.es_task_handler airflow.providers.elasticsearch.log.es_task_handler ElasticsearchTaskHandler
airflow.utils.log.gcs_task_handler airflow.providers.google.cloud.log.gcs_task_handler GCSTaskHandler
airflow.utils.log.s3_task_handler airflow.providers.amazon.aws.log.s3_task_handler S3TaskHandler
airflow.utils.log.stackdriver_task_handler airflow.providers.google.cloud.log.stackdriver_task_handler StackdriverTaskHandler
airflow.utils.log.wasb_task_handler airflow.providers.microsoft.azure.log.wasb_task_handler WasbTaskHandler
airflow.utils.operator_resources airflow.sdk.definitions.operator_resources *
airflow.utils.setup_teardown airflow.sdk.definitions._internal.setup_teardown BaseSetupTeardownContext SetupTeardownContext
airflow.utils.task_group airflow.sdk TaskGroup
airflow.utils.timeout airflow.sdk.execution_time.timeout timeout
airflow.utils.timezone airflow.sdk.timezone *
airflow.utils.trigger_rule airflow.task.trigger_rule TriggerRule
airflow.utils.weight_rule airflow.task.weight_rule WeightRule
airflow.utils.weight_rule airflow.sdk.bases.operator DB_SAFE_MINIMUM DB_SAFE_MAXIMUM db_safe_priority
airflow.utils.xcom airflow.models.xcom XCOM_RETURN_KEY
"""
